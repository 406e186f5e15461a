/** Renders hooks as a page does: in StrictMode, with nothing that hurries React. */

import { type ReactNode, StrictMode, useEffect } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { vi } from "vitest";
import { until } from "./until.js";

export interface Hook<Props, Value> {
  /** What was committed last. */
  readonly current: Value;
  /** Everything that was committed. */
  readonly commits: readonly Value[];
  rerender(props: Props): void;
  unmount(): void;
}

function host<Props, Value>(use: (props: Props) => Value) {
  const commits: Value[] = [];
  const Host = ({ props }: { readonly props: Props }): ReactNode => {
    const value = use(props);
    useEffect(() => void commits.push(value));
    return <p>{JSON.stringify(value)}</p>;
  };
  const element = (props: Props): ReactNode => <StrictMode><Host props={props} /></StrictMode>;
  return { commits, element };
}

/** Mount a component that uses a hook. */
export async function mount<Props, Value>(use: (props: Props) => Value, props: Props): Promise<Hook<Props, Value>> {
  const { commits, element } = host(use);
  const root = createRoot(document.createElement("main"));
  root.render(element(props));
  await until(() => commits.length > 0);
  await new Promise((resolve) => setTimeout(resolve)); // until effects have run, twice as StrictMode does it
  return {
    commits,
    get current() {
      return commits.at(-1)!;
    },
    rerender: (next) => root.render(element(next)),
    unmount: () => root.unmount(),
  };
}

/** A button with a handler of React's, in the page. */
export async function click(handler: (event: unknown) => void): Promise<HTMLElement> {
  const page = document.body.appendChild(document.createElement("main"));
  createRoot(page).render(<button onClick={handler} />);
  await until(() => page.firstChild);
  return page.firstChild as HTMLElement;
}

/** Render on a server, and take the page over in a browser; the server's page, and what React had to say against it. */
export async function hydrate<Props, Value>(use: (props: Props) => Value, props: Props) {
  const { commits, element } = host(use);
  const container = document.createElement("main");
  const html = renderToString(element(props));
  const complaints: unknown[] = [];
  const complain = vi.spyOn(console, "error").mockImplementation((...said) => void complaints.push(said));
  container.innerHTML = html;
  const root = hydrateRoot(container, element(props), { onRecoverableError: (error) => complaints.push(error) });
  await until(() => commits.length > 0);
  await new Promise((resolve) => setTimeout(resolve));
  complain.mockRestore();
  return { html, complaints, commits, unmount: () => root.unmount() };
}

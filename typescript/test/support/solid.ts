/** Mounts what a component has set up. */

import { render } from "solid-js/web";

/** Mount a component that sets this up; what it shows is its JSON. */
export function mount<Value extends object>(use: () => Value) {
  let made!: Value;
  const element = document.createElement("main");
  const dispose = render(() => {
    made = use();
    return (() => JSON.stringify(made)) as unknown as Node;
  }, element);
  return { made, shown: (): unknown => JSON.parse(element.textContent ?? ""), unmount: dispose };
}

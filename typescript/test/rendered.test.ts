/** What the bindings to Svelte and Solid render on a server, where they follow nothing. */

import { createComponent, renderToString } from "solid-js/web";
import { render } from "svelte/server";
import { expect, test } from "vitest";
import * as solid from "../src/solid.js";
import * as svelte from "../src/svelte.js";
import Shown from "./support/Shown.svelte?server";
import { memoryAction } from "./support/memory.js";

const persist = { key: "k", storage: { getItem: () => "r1", setItem: () => undefined, removeItem: () => undefined } };

test("Svelte shows an action as idle and a run as streaming, and asks for nothing", async () => {
  const action = memoryAction<number>();

  const idle = render(Shown, { props: { use: () => svelte.useStreamAction(action, { persist }) } }).body;
  const streaming = render(Shown, { props: { use: () => svelte.useRun(action, () => "r1") } }).body;
  await new Promise((resolve) => setTimeout(resolve));

  expect(idle).toContain('"status":"idle"');
  expect(streaming).toContain('"status":"streaming"');
  expect(action.runs).toEqual([]);
});

test("Solid shows an action as idle and a run as streaming, and asks for nothing", async () => {
  const action = memoryAction<number>();
  const show = (use: () => object): string =>
    renderToString(() => createComponent(() => JSON.stringify(use()) as unknown as Node, {})).replaceAll("&quot;", '"');

  const idle = show(() => solid.useStreamAction(action, { persist }));
  const streaming = show(() => solid.useRun(action, () => "r1"));
  await new Promise((resolve) => setTimeout(resolve));

  expect(idle).toContain('"status":"idle"');
  expect(streaming).toContain('"status":"streaming"');
  expect(action.runs).toEqual([]);
});

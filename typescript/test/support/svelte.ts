/** Mounts what a component has set up. */

import { flushSync, mount as mountComponent, unmount } from "svelte";
import Shown from "./Shown.svelte";

/** Mount a component that sets this up; what it shows is its JSON. */
export function mount<Value extends object>(use: () => Value) {
  let made!: Value;
  const element = document.createElement("main");
  const component = mountComponent(Shown, { target: element, props: { use, hand: (value: Value) => void (made = value) } });
  flushSync();
  return { made, shown: (): unknown => JSON.parse(element.textContent ?? ""), unmount: () => void unmount(component) };
}

/** The Svelte binding, against a real server where one matters. */

import { flushSync } from "svelte";
import { fromStore, toStore, writable } from "svelte/store";
import { useRun, useStreamAction } from "../src/svelte.js";
import { describeBinding } from "./support/binding.js";
import { mount } from "./support/svelte.js";

describeBinding({
  useRun,
  useStreamAction,
  mount,
  state(value) {
    const store = fromStore(writable(value));
    return {
      get value() {
        return store.current;
      },
      set value(next) {
        store.current = next;
      },
    };
  },
  effect: (run) => toStore(run).subscribe(() => undefined),
  settle: () => flushSync(),
});

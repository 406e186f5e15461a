/** The Solid binding, against a real server where one matters. */

import { createEffect, createRoot, createSignal } from "solid-js";
import { useRun, useStreamAction } from "../src/solid.js";
import { describeBinding } from "./support/binding.js";
import { mount } from "./support/solid.js";

describeBinding({
  useRun,
  useStreamAction,
  mount,
  state(initial) {
    const [value, set] = createSignal(initial);
    return {
      get value() {
        return value();
      },
      set value(next) {
        set(() => next);
      },
    };
  },
  effect: (run) => createRoot((dispose) => (createEffect(run), dispose)),
  settle: () => undefined,
});

/** Shared by the framework bindings. */

import type { Callable, CallOptions } from "./contract.js";
import type { RunState } from "./core/state.js";
import type { RunObserver } from "./observer.js";

/** The options of one `execute`. There is no `signal`: `stop`, `reset` and unmounting replace it. */
export type ExecuteOptions = Omit<CallOptions, "signal" | "keep">;

/** The arguments of `execute`; the input is optional if all its fields are. */
export type ExecuteArguments<Input> = Record<never, never> extends Input
  ? [input?: Input | FormData, options?: ExecuteOptions]
  : [input: Input | FormData, options?: ExecuteOptions];

/** Commands for a followed run. The functions stay the same for the life of the component. */
export interface RunCommands {
  /** Cancel the run, and drop calls that wait. Rejects if the server could not be reached. */
  readonly stop: () => Promise<void>;
}

/** Commands for an action. The functions stay the same for the life of the component. */
export interface ActionCommands<Input, Chunk, Result, Failure> extends RunCommands {
  /** Start a run. Resolves with its last state, however it ended: check `status`, then `result` or `error`. */
  readonly execute: (...call: ExecuteArguments<Input>) => Promise<RunState<Chunk, Result, Failure>>;
  /** Go back to `idle`. A run that has not ended is handled as `onUnmount` says. */
  readonly reset: () => void;
}

const GIVEN_EVENT = "The input is an event: write onClick={() => execute()}";

/** The commands of the newest observer, as bound functions that stay the same. */
export function commandsOf<Input, Chunk, Result, Failure>(
  newest: () => RunObserver<Chunk, Result, Failure, Callable<Input, Chunk, Result, Failure>>,
): ActionCommands<Input, Chunk, Result, Failure> {
  return {
    execute: (async (input: Input, options?: ExecuteOptions) => {
      if ((input as Partial<Event> | undefined)?.preventDefault instanceof Function) throw new TypeError(GIVEN_EVENT);
      // The observer keeps what is shown, so the run keeps nothing.
      return newest().execute((action) => action(input, { ...options, keep: 0 }));
    }) as ActionCommands<Input, Chunk, Result, Failure>["execute"],
    reset: () => newest().reset(),
    stop: () => newest().stop(),
  };
}

/** An action is itself a function, so it is never called as a getter. */
export function actionOf<Input, Chunk, Result, Failure>(
  given: Callable<Input, Chunk, Result, Failure> | (() => Callable<Input, Chunk, Result, Failure>),
): Callable<Input, Chunk, Result, Failure> {
  return "attach" in given ? given : given();
}

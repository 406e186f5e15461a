/** What the bindings to frameworks have in common. */

import type { Action, CallOptions } from "./contract.js";
import type { RunState } from "./core/state.js";
import type { RunObserver } from "./observer.js";

/** What may be said with one `execute`; what a `signal` would end, `stop`, `reset` and unmounting end. */
export type ExecuteOptions = Omit<CallOptions, "signal">;

/** The arguments of `execute`; the input may be left out where all its fields are optional. */
export type ExecuteArguments<Input> = Record<never, never> extends Input
  ? [input?: Input, options?: ExecuteOptions]
  : [input: Input, options?: ExecuteOptions];

/** What can be done with a run that is followed. The functions are the same ones for as long as the component lives. */
export interface RunCommands {
  /** Cancel the run, and start nothing that waits. Rejects if the server could not be told. */
  readonly stop: () => Promise<void>;
}

/** What can be done with an action. The functions are the same ones for as long as the component lives. */
export interface ActionCommands<Input, Chunk, Result, Code extends string> extends RunCommands {
  /** Start a run. Resolves with its last state, however it ended: `status` tells, with `result` or `error`. */
  readonly execute: (...call: ExecuteArguments<Input>) => Promise<RunState<Chunk, Result, Code>>;
  /** Back to `idle`. A run that has not ended is left, as `onUnmount` says. */
  readonly reset: () => void;
}

/** The commands of the newest observer, as functions that can be passed on and stay the same. */
export function commandsOf<Input, Chunk, Result, Code extends string>(
  newest: () => RunObserver<Chunk, Result, Code, Action<Input, Chunk, Result, Code>>,
): ActionCommands<Input, Chunk, Result, Code> {
  return {
    execute: (...call) => newest().execute((action) => action(...call)),
    stop: () => newest().stop(),
    reset: () => newest().reset(),
  };
}

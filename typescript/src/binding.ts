/** Shared by the framework bindings. */

import type { AnswerArguments, Callable, CallOptions } from "./contract.js";
import type { AnyAsks } from "./core/question.js";
import type { RunState } from "./core/state.js";
import type { RunObserver } from "./observer.js";

/** The options of one `execute`. There is no `signal`: `stop`, `reset` and unmounting replace it. */
export type ExecuteOptions = Omit<CallOptions, "signal" | "keep">;

/** The arguments of `execute`; the input is optional if all its fields are. */
export type ExecuteArguments<Input> = Record<never, never> extends Input
  ? [input?: Input | FormData, options?: ExecuteOptions]
  : [input: Input | FormData, options?: ExecuteOptions];

/** A function, which a component that takes any run can be given too. */
type Loose<Given extends readonly unknown[]> = { call(...given: Given): Promise<void> }["call"];

/** Commands for a followed run. The functions stay the same for the life of the component. */
export interface RunCommands<Asks = AnyAsks, Message = unknown> {
  /** Cancel the run, and drop calls that wait. Rejects if the server could not be reached. */
  readonly stop: () => Promise<void>;
  /** Answer a question of the run. Rejects with an ActionError if the answer was not accepted. */
  readonly answer: Loose<AnswerArguments<Asks>>;
  /** Send the run a message. Rejects with an ActionError if it was not accepted. */
  readonly send: Loose<[message: Message]>;
}

/** Commands for an action. The functions stay the same for the life of the component. */
export interface ActionCommands<Input, Chunk, Result, Failure, Asks = AnyAsks, Message = unknown> extends RunCommands<Asks, Message> {
  /** Start a run. Resolves with its last state, however it ended: check `status`, then `result` or `error`. */
  readonly execute: (...call: ExecuteArguments<Input>) => Promise<RunState<Chunk, Result, Failure, Asks>>;
  /** Go back to `idle`. A run that has not ended is handled as `onUnmount` says. */
  readonly reset: () => void;
}

/** Follows the runs of a hook's action. */
export type Observer<Input, Chunk, Result, Failure, Asks, Message> = RunObserver<
  Chunk,
  Result,
  Failure,
  Asks,
  Message,
  Callable<Input, Chunk, Result, Failure, Asks, Message>
>;

const GIVEN_EVENT = "The input is an event: write onClick={() => execute()}";

/** The commands of the newest observer, as bound functions that stay the same. */
export function commandsOf<Input, Chunk, Result, Failure, Asks, Message>(
  newest: () => Observer<Input, Chunk, Result, Failure, Asks, Message>,
): ActionCommands<Input, Chunk, Result, Failure, Asks, Message> {
  return {
    execute: (async (input: Input, options?: ExecuteOptions) => {
      if ((input as Partial<Event> | undefined)?.preventDefault instanceof Function) throw new TypeError(GIVEN_EVENT);
      // The observer keeps what is shown, so the run keeps nothing.
      return newest().execute((action) => action(input, { ...options, keep: 0 }));
    }) as ActionCommands<Input, Chunk, Result, Failure, Asks, Message>["execute"],
    reset: () => newest().reset(),
    stop: () => newest().stop(),
    answer: async (...given) => newest().run.answer(...given),
    send: async (message) => newest().run.send(message),
  };
}

/** An action is itself a function, so it is never called as a getter. */
export function actionOf<Input, Chunk, Result, Failure, Asks, Message>(
  given: Callable<Input, Chunk, Result, Failure, Asks, Message> | (() => Callable<Input, Chunk, Result, Failure, Asks, Message>),
): Callable<Input, Chunk, Result, Failure, Asks, Message> {
  return "attach" in given ? given : given();
}

/** Actions and their runs in Solid. */

import { createEffect, createMemo, createSignal, mergeProps, onCleanup, untrack } from "solid-js";
import { type ActionCommands, commandsOf, type RunCommands, actionOf } from "./binding.js";
import type { Action, Callable, ErrorOf, NoAsks, RunSource } from "./contract.js";
import type { ActionError } from "./core/error.js";
import type { AnyAsks } from "./core/question.js";
import type { RunState } from "./core/state.js";
import { type FollowOptions, RunObserver, type StreamOptions } from "./observer.js";
import { keyOf } from "./persistence.js";

export type { ActionCommands, ExecuteArguments, ExecuteOptions, RunCommands } from "./binding.js";
export type { RunState, StreamStatus } from "./core/state.js";
export type { FollowOptions, StreamOptions } from "./observer.js";
export type { Persist, RunStorage } from "./persistence.js";

/** An action's newest run, and its commands. Each field is reactive where it is read, like props: do not destructure it. */
export type StreamAction<Input, Chunk, Result, Failure, Asks = AnyAsks, Message = unknown> =
  & RunState<Chunk, Result, Failure, Asks>
  & ActionCommands<Input, Chunk, Result, Failure, Asks, Message>;

/** A value, or an accessor of it. */
export type MaybeAccessor<Value> = Value | (() => Value);

/**
 * Execute an action from a component or a root, and show its run live.
 *
 * Another action, or another key to `persist`, starts over: the previous run is left and no longer shown.
 */
export function useStreamAction<Input, Chunk, Result, Errors = never, Asks = NoAsks, Message = never>(
  action: MaybeAccessor<Action<Input, Chunk, Result, Errors, Asks, Message>>,
  options: MaybeAccessor<StreamOptions<Chunk, Result, ErrorOf<Input, Errors>, Asks>> = {},
): StreamAction<Input, Chunk, Result, ErrorOf<Input, Errors>, Asks, Message> {
  return useObserved(action, options);
}

/** Show a run that was started elsewhere: on another page, on the server, or earlier. */
export function useRun<Chunk, Result, Failure = ActionError, Asks = AnyAsks, Message = unknown>(
  source: MaybeAccessor<RunSource<Chunk, Result, Failure, Asks, Message>>,
  id: MaybeAccessor<string | undefined>,
  options: MaybeAccessor<FollowOptions<Chunk, Result, Failure, Asks>> = {},
): RunState<Chunk, Result, Failure, Asks> & RunCommands<Asks, Message> {
  return useObserved(source as MaybeAccessor<Callable<never, Chunk, Result, Failure, Asks, Message>>, options, id);
}

/** Each action, source, id or key has its own observer, so that nothing is ever shown, kept or called for another. */
function useObserved<Input, Chunk, Result, Failure, Asks, Message>(
  source: MaybeAccessor<Callable<Input, Chunk, Result, Failure, Asks, Message>>,
  options: MaybeAccessor<StreamOptions<Chunk, Result, Failure, Asks>>,
  id?: MaybeAccessor<string | undefined>,
): StreamAction<Input, Chunk, Result, Failure, Asks, Message> {
  const from = createMemo(() => actionOf(source));
  const which = createMemo(() => valueOf(id));
  const now = createMemo(() => valueOf(options));
  const key = createMemo(() => keyOf(now().persist));
  const newest = createMemo(() => {
    key();
    const observer = new RunObserver<Chunk, Result, Failure, Asks, Message, Callable<Input, Chunk, Result, Failure, Asks, Message>>(from(), untrack(now), which());
    const [state, show] = createSignal(observer.snapshot());
    observer.subscribe(() => show(observer.snapshot));
    onCleanup(() => observer.leave());
    return { observer, state };
  });
  // Nothing is followed on a server or before hydration.
  createEffect(() => {
    newest().observer.options = now();
    newest().observer.resume();
  });
  return mergeProps(() => newest().state(), commandsOf(() => untrack(newest).observer)) as StreamAction<Input, Chunk, Result, Failure, Asks, Message>;
}

function valueOf<Value>(given: MaybeAccessor<Value>): Value {
  return given instanceof Function ? given() : given;
}

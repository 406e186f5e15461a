/** Actions and their runs in Solid. */

import { createEffect, createMemo, createSignal, mergeProps, onCleanup, untrack } from "solid-js";
import { type ActionCommands, commandsOf, type RunCommands, actionOf } from "./binding.js";
import type { Action, RunSource } from "./contract.js";
import type { RunState } from "./core/state.js";
import { type FollowOptions, RunObserver, type StreamOptions } from "./observer.js";
import { keyOf } from "./persistence.js";

export type { ActionCommands, ExecuteArguments, ExecuteOptions, RunCommands } from "./binding.js";
export type { RunState, StreamStatus } from "./core/state.js";
export type { FollowOptions, StreamOptions } from "./observer.js";
export type { Persist, RunStorage } from "./persistence.js";

/** An action's newest run, and its commands. Each field is reactive where it is read, like props: do not destructure it. */
export type StreamAction<Input, Chunk, Result, Code extends string> =
  & RunState<Chunk, Result, Code>
  & ActionCommands<Input, Chunk, Result, Code>;

/** A value, or an accessor of it. */
export type MaybeAccessor<Value> = Value | (() => Value);

/**
 * Execute an action from a component or a root, and show its run live.
 *
 * Another action, or another key to `persist`, starts over: the previous run is left and no longer shown.
 */
export function useStreamAction<Input, Chunk, Result, Code extends string = never>(
  action: MaybeAccessor<Action<Input, Chunk, Result, Code>>,
  options: MaybeAccessor<StreamOptions<Chunk, Result, Code>> = {},
): StreamAction<Input, Chunk, Result, Code> {
  return useObserved(action, options);
}

/** Show a run that was started elsewhere: on another page, on the server, or earlier. */
export function useRun<Chunk, Result, Code extends string = never>(
  source: MaybeAccessor<RunSource<Chunk, Result, Code>>,
  id: MaybeAccessor<string | undefined>,
  options: MaybeAccessor<FollowOptions<Chunk, Result, Code>> = {},
): RunState<Chunk, Result, Code> & RunCommands {
  return useObserved(source as MaybeAccessor<Action<never, Chunk, Result, Code>>, options, id);
}

/** Each action, source, id or key has its own observer, so that nothing is ever shown, kept or called for another. */
function useObserved<Input, Chunk, Result, Code extends string>(
  source: MaybeAccessor<Action<Input, Chunk, Result, Code>>,
  options: MaybeAccessor<StreamOptions<Chunk, Result, Code>>,
  id?: MaybeAccessor<string | undefined>,
): StreamAction<Input, Chunk, Result, Code> {
  const from = createMemo(() => actionOf(source));
  const which = createMemo(() => valueOf(id));
  const now = createMemo(() => valueOf(options));
  const key = createMemo(() => keyOf(now().persist));
  const newest = createMemo(() => {
    key();
    const observer = new RunObserver<Chunk, Result, Code, Action<Input, Chunk, Result, Code>>(from(), untrack(now), which());
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
  return mergeProps(() => newest().state(), commandsOf(() => untrack(newest).observer)) as StreamAction<Input, Chunk, Result, Code>;
}

function valueOf<Value>(given: MaybeAccessor<Value>): Value {
  return given instanceof Function ? given() : given;
}

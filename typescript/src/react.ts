"use client"; // so that a server component can import a component that uses it

/** Actions and their runs in React, 18 and newer. */

import { useEffect, useInsertionEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { type ActionCommands, commandsOf, type RunCommands } from "./binding.js";
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

/** An action's newest run, and its commands. `status` narrows `result` and `error`. */
export type StreamAction<Input, Chunk, Result, Failure, Asks = AnyAsks, Message = unknown> =
  & RunState<Chunk, Result, Failure, Asks>
  & ActionCommands<Input, Chunk, Result, Failure, Asks, Message>;

/**
 * Execute an action from a component, and render its run live.
 *
 * Another action, or another key to `persist`, starts over like a new component: the previous run is left and no longer shown.
 */
export function useStreamAction<Input, Chunk, Result, Errors = never, Asks = NoAsks, Message = never>(
  action: Action<Input, Chunk, Result, Errors, Asks, Message>,
  options: StreamOptions<Chunk, Result, ErrorOf<Input, Errors>, Asks> = {},
): StreamAction<Input, Chunk, Result, ErrorOf<Input, Errors>, Asks, Message> {
  return useObserved(action, options);
}

/** Render a run that was started elsewhere: on another page, on the server, or earlier. */
export function useRun<Chunk, Result, Failure = ActionError, Asks = AnyAsks, Message = unknown>(
  source: RunSource<Chunk, Result, Failure, Asks, Message>,
  id: string | undefined,
  options: FollowOptions<Chunk, Result, Failure, Asks> = {},
): RunState<Chunk, Result, Failure, Asks> & RunCommands<Asks, Message> {
  return useObserved(source as Callable<never, Chunk, Result, Failure, Asks, Message>, options, id);
}

/** Each action, source, id or key has its own observer, so that nothing is ever shown, kept or called for another. */
function useObserved<Input, Chunk, Result, Failure, Asks, Message>(
  source: Callable<Input, Chunk, Result, Failure, Asks, Message>,
  options: StreamOptions<Chunk, Result, Failure, Asks>,
  id?: string,
): StreamAction<Input, Chunk, Result, Failure, Asks, Message> {
  const observer = useMemo(
    () => new RunObserver<Chunk, Result, Failure, Asks, Message, Callable<Input, Chunk, Result, Failure, Asks, Message>>(source, options, id),
    [source, id, keyOf(options.persist)],
  );
  const { current } = useRef({ observer });
  // Written only when a render is committed: a discarded render must have no effect.
  useInsertionEffect(() => {
    if (current.observer !== observer) current.observer.leave(); // React removes its listener later
    current.observer = observer;
    observer.options = options;
  });
  const state = useSyncExternalStore(observer.subscribe, observer.snapshot, () => observer.initial);
  useEffect(() => observer.resume(), [observer]);
  const [commands] = useState(() => commandsOf(() => current.observer));
  return useMemo(() => ({ ...state, ...commands }), [state, commands]);
}

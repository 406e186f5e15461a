"use client"; // so that a server component can import a component that uses it

/** Actions and their runs in React, 18 and newer. */

import { useEffect, useInsertionEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { type ActionCommands, commandsOf, type RunCommands } from "./binding.js";
import type { Action, RunSource } from "./contract.js";
import type { RunState } from "./core/state.js";
import { type FollowOptions, RunObserver, type StreamOptions } from "./observer.js";
import { keyOf } from "./persistence.js";

export type { ActionCommands, ExecuteArguments, ExecuteOptions, RunCommands } from "./binding.js";
export type { RunState, StreamStatus } from "./core/state.js";
export type { FollowOptions, StreamOptions } from "./observer.js";
export type { Persist, RunStorage } from "./persistence.js";

/** An action's newest run, and its commands. `status` narrows `result` and `error`. */
export type StreamAction<Input, Chunk, Result, Code extends string> =
  & RunState<Chunk, Result, Code>
  & ActionCommands<Input, Chunk, Result, Code>;

/**
 * Execute an action from a component, and render its run live.
 *
 * Another action, or another key to `persist`, starts over like a new component: the previous run is left and no longer shown.
 */
export function useStreamAction<Input, Chunk, Result, Code extends string = never>(
  action: Action<Input, Chunk, Result, Code>,
  options: StreamOptions<Chunk, Result, Code> = {},
): StreamAction<Input, Chunk, Result, Code> {
  return useObserved(action, options);
}

/** Render a run that was started elsewhere: on another page, on the server, or earlier. */
export function useRun<Chunk, Result, Code extends string = never>(
  source: RunSource<Chunk, Result, Code>,
  id: string | undefined,
  options: FollowOptions<Chunk, Result, Code> = {},
): RunState<Chunk, Result, Code> & RunCommands {
  return useObserved(source as Action<never, Chunk, Result, Code>, options, id);
}

/** Each action, source, id or key has its own observer, so that nothing is ever shown, kept or called for another. */
function useObserved<Input, Chunk, Result, Code extends string>(
  source: Action<Input, Chunk, Result, Code>,
  options: StreamOptions<Chunk, Result, Code>,
  id?: string,
): StreamAction<Input, Chunk, Result, Code> {
  const observer = useMemo(
    () => new RunObserver<Chunk, Result, Code, Action<Input, Chunk, Result, Code>>(source, options, id),
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

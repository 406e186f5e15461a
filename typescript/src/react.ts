"use client"; // so that a server component can import a component that uses it

/** Actions and their runs in React, 18 and newer. */

import { useEffect, useInsertionEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { type ActionCommands, commandsOf, type RunCommands, runCommandsOf } from "./binding.js";
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
  return useObserved(commandsOf<Input, Chunk, Result, Code>, action, options);
}

/** Render a run that was started elsewhere: on another page, on the server, or earlier. */
export function useRun<Chunk, Result, Code extends string = never>(
  source: RunSource<Chunk, Result, Code>,
  id: string | undefined,
  options: FollowOptions<Chunk, Result, Code> = {},
): RunState<Chunk, Result, Code> & RunCommands {
  return useObserved(runCommandsOf, source, options, id);
}

/** Each action, source, id or key has its own observer, so that nothing is ever shown, kept or called for another. */
function useObserved<Chunk, Result, Code extends string, Source extends RunSource<Chunk, Result, Code>, Commands extends object>(
  make: (newest: () => RunObserver<Chunk, Result, Code, Source>) => Commands,
  source: RunSource<Chunk, Result, Code> & Source,
  options: StreamOptions<Chunk, Result, Code>,
  id?: string,
): RunState<Chunk, Result, Code> & Commands {
  const observer = useMemo(
    () => new RunObserver<Chunk, Result, Code, Source>(source, options, id),
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
  const [commands] = useState(() => make(() => current.observer));
  return useMemo(() => ({ ...state, ...commands }), [state, commands]);
}

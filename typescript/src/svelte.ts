/** Actions and their runs in Svelte 5. */

import { onMount, untrack } from "svelte";
import { fromStore, toStore, writable } from "svelte/store";
import { type ActionCommands, commandsOf, type Observer, type RunCommands, actionOf } from "./binding.js";
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

/** An action's newest run, and its commands. Each field is reactive where it is read: do not destructure it. */
export type StreamAction<Input, Chunk, Result, Failure, Asks = AnyAsks, Message = unknown> =
  & RunState<Chunk, Result, Failure, Asks>
  & ActionCommands<Input, Chunk, Result, Failure, Asks, Message>;

/** A value, or a function that reads it from reactive state. */
export type MaybeGetter<Value> = Value | (() => Value);

/**
 * Execute an action from a component, and show its run live.
 *
 * Another action, or another key to `persist`, starts over: the previous run is left and no longer shown.
 */
export function useStreamAction<Input, Chunk, Result, Errors = never, Asks = NoAsks, Message = never>(
  action: MaybeGetter<Action<Input, Chunk, Result, Errors, Asks, Message>>,
  options: MaybeGetter<StreamOptions<Chunk, Result, ErrorOf<Input, Errors>, Asks>> = {},
): StreamAction<Input, Chunk, Result, ErrorOf<Input, Errors>, Asks, Message> {
  return useObserved(action, options);
}

/** Show a run that was started elsewhere: on another page, on the server, or earlier. */
export function useRun<Chunk, Result, Failure = ActionError, Asks = AnyAsks, Message = unknown>(
  source: MaybeGetter<RunSource<Chunk, Result, Failure, Asks, Message>>,
  id: MaybeGetter<string | undefined>,
  options: MaybeGetter<FollowOptions<Chunk, Result, Failure, Asks>> = {},
): RunState<Chunk, Result, Failure, Asks> & RunCommands<Asks, Message> {
  return useObserved(source as MaybeGetter<Callable<never, Chunk, Result, Failure, Asks, Message>>, options, id);
}

/** Each action, source, id or key has its own observer, so that nothing is ever shown, kept or called for another. */
function useObserved<Input, Chunk, Result, Failure, Asks, Message>(
  source: MaybeGetter<Callable<Input, Chunk, Result, Failure, Asks, Message>>,
  options: MaybeGetter<StreamOptions<Chunk, Result, Failure, Asks>>,
  id?: MaybeGetter<string | undefined>,
): StreamAction<Input, Chunk, Result, Failure, Asks, Message> {
  const version = fromStore(writable(0));
  let identity: readonly unknown[] = [];
  let observer!: Observer<Input, Chunk, Result, Failure, Asks, Message>;
  /** Called by every read, so that nothing is shown under an identity that has changed since. */
  const newest = (): Observer<Input, Chunk, Result, Failure, Asks, Message> => {
    const now = valueOf(options);
    const given = [actionOf(source), valueOf(id), keyOf(now.persist)] as const;
    if (given.some((part, n) => part !== identity[n])) {
      identity = given;
      observer?.leave();
      observer = new RunObserver(given[0], now, given[1]);
      observer.subscribe(() => version.current++);
    }
    observer.options = now;
    return observer;
  };
  // Nothing is followed on a server or before hydration.
  onMount(() => {
    const unwatch = toStore(newest).subscribe((made) => made.resume());
    return () => {
      unwatch();
      observer.leave();
    };
  });
  const shown = commandsOf(() => untrack(newest));
  for (const field in newest().initial) {
    // What reads a field depends on the version too.
    const get = (): unknown => version.current >= 0 && newest().snapshot()[field as keyof RunState];
    Object.defineProperty(shown, field, { get, enumerable: true });
  }
  return shown as StreamAction<Input, Chunk, Result, Failure, Asks, Message>;
}

function valueOf<Value>(given: MaybeGetter<Value>): Value {
  return given instanceof Function ? given() : given;
}

/** Actions and their runs in Vue 3. */

import {
  type MaybeRef, type MaybeRefOrGetter, type Ref, shallowReactive, shallowReadonly, shallowRef, type ShallowRef, toRefs, toValue, unref, watch,
  watchPostEffect,
} from "vue";
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

/** A run's state, each field a ref of its own. */
export type RunRefs<Chunk, Result, Failure, Asks = AnyAsks> = {
  readonly [Field in keyof RunState]: Readonly<Ref<RunState<Chunk, Result, Failure, Asks>[Field]>>;
};

/** An action's newest run as refs, and its commands. */
export type StreamAction<Input, Chunk, Result, Failure, Asks = AnyAsks, Message = unknown> =
  & RunRefs<Chunk, Result, Failure, Asks>
  & ActionCommands<Input, Chunk, Result, Failure, Asks, Message>;

/** Options as a value, a ref or a getter; each option can be a ref too. */
export type OptionRefs<Options> = MaybeRefOrGetter<{ readonly [Name in keyof Options]: MaybeRef<Options[Name]> }>;

/**
 * Execute an action from a component or an effect scope, and show its run live.
 *
 * Another action, or another key to `persist`, starts over: the previous run is left and no longer shown.
 */
export function useStreamAction<Input, Chunk, Result, Errors = never, Asks = NoAsks, Message = never>(
  action: MaybeRefOrGetter<Action<Input, Chunk, Result, Errors, Asks, Message>>,
  options: OptionRefs<StreamOptions<Chunk, Result, ErrorOf<Input, Errors>, Asks>> = {},
): StreamAction<Input, Chunk, Result, ErrorOf<Input, Errors>, Asks, Message> {
  return useObserved(action, options);
}

/** Show a run that was started elsewhere: on another page, on the server, or earlier. */
export function useRun<Chunk, Result, Failure = ActionError, Asks = AnyAsks, Message = unknown>(
  source: MaybeRefOrGetter<RunSource<Chunk, Result, Failure, Asks, Message>>,
  id: MaybeRefOrGetter<string | undefined>,
  options: OptionRefs<FollowOptions<Chunk, Result, Failure, Asks>> = {},
): RunRefs<Chunk, Result, Failure, Asks> & RunCommands<Asks, Message> {
  return useObserved(source as MaybeRefOrGetter<Callable<never, Chunk, Result, Failure, Asks, Message>>, options, id);
}

/** Each action, source, id or key has its own observer, so that nothing is ever shown, kept or called for another. */
function useObserved<Input, Chunk, Result, Failure, Asks, Message>(
  source: MaybeRefOrGetter<Callable<Input, Chunk, Result, Failure, Asks, Message>>,
  options: OptionRefs<StreamOptions<Chunk, Result, Failure, Asks>>,
  id?: MaybeRefOrGetter<string | undefined>,
): StreamAction<Input, Chunk, Result, Failure, Asks, Message> {
  const state = shallowReactive({} as RunState<Chunk, Result, Failure, Asks>);
  // Each option is read when it is used.
  const live = new Proxy<StreamOptions<Chunk, Result, Failure, Asks>>({}, { get: (_, name) => unref(toValue(options)[name as never]) });
  let newest!: Observer<Input, Chunk, Result, Failure, Asks, Message>; // not a ref, so that an effect that executes does not depend on it
  const observer = shallowRef() as ShallowRef<Observer<Input, Chunk, Result, Failure, Asks, Message>>;
  watch(
    [() => actionOf(unref(source)), () => toValue(id), () => keyOf(live.persist)] as const,
    ([newestSource, newestId], _, onCleanup) => {
      const made = newest = observer.value = new RunObserver(newestSource, live, newestId);
      const update = (): unknown => Object.assign(state, made.snapshot());
      made.subscribe(update);
      onCleanup(() => made.leave());
      update();
    },
    { immediate: true, flush: "sync" },
  );
  // Nothing is followed on a server, before hydration, or while another ref can still change in the same turn.
  watchPostEffect(() => observer.value.resume());
  return { ...(toRefs(shallowReadonly(state)) as RunRefs<Chunk, Result, Failure, Asks>), ...commandsOf(() => newest) };
}

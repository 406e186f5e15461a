/** Actions and their runs in Vue 3. */

import {
  computed, type ComputedRef, getCurrentInstance, type MaybeRef, type MaybeRefOrGetter, onMounted, shallowRef,
  type ShallowRef, toValue, unref, watch,
} from "vue";
import { type ActionCommands, commandsOf, type RunCommands } from "./binding.js";
import type { Action, RunSource } from "./contract.js";
import type { RunState } from "./core/state.js";
import { type FollowOptions, RunObserver, type StreamOptions } from "./observer.js";
import { partsOf } from "./persistence.js";

export type { ActionCommands, ExecuteArguments, ExecuteOptions, RunCommands } from "./binding.js";
export type { RunState, StreamStatus } from "./core/state.js";
export type { FollowOptions, StreamOptions } from "./observer.js";
export type { Persist, RunStorage } from "./persistence.js";

/** A run's state, each field a ref of its own. */
export type RunRefs<Chunk, Result, Code extends string> = {
  readonly [Field in keyof RunState]: ComputedRef<RunState<Chunk, Result, Code>[Field]>;
};

/** An action's newest run as refs, and its commands. */
export type StreamAction<Input, Chunk, Result, Code extends string> =
  & RunRefs<Chunk, Result, Code>
  & ActionCommands<Input, Chunk, Result, Code>;

/** Options as a value, a ref or a getter. Each option can be one too; a callback is a value or a ref. */
export type OptionRefs<Options> = MaybeRefOrGetter<
  { readonly [Name in keyof Options]: Name extends Callback ? MaybeRef<Options[Name]> : MaybeRefOrGetter<Options[Name]> }
>;

type Callback = Exclude<keyof StreamOptions & `on${string}`, "onUnmount">;

/**
 * Execute an action from a component or an effect scope, and show its run live.
 *
 * Another action, or another key to `persist`, starts over: the previous run is left and no longer shown.
 */
export function useStreamAction<Input, Chunk, Result, Code extends string = never>(
  action: MaybeRefOrGetter<Action<Input, Chunk, Result, Code>>,
  options: OptionRefs<StreamOptions<Chunk, Result, Code>> = {},
): StreamAction<Input, Chunk, Result, Code> {
  const { state, newest } = useObserved<Chunk, Result, Code, Action<Input, Chunk, Result, Code>>(action, undefined, options);
  return { ...refsOf(state), ...commandsOf(newest) };
}

/** Show a run that was started elsewhere: on another page, on the server, or earlier. */
export function useRun<Chunk, Result, Code extends string = never>(
  source: MaybeRefOrGetter<RunSource<Chunk, Result, Code>>,
  id: MaybeRefOrGetter<string | undefined>,
  options: OptionRefs<FollowOptions<Chunk, Result, Code>> = {},
): RunRefs<Chunk, Result, Code> & RunCommands {
  const { state, newest } = useObserved<Chunk, Result, Code, RunSource<Chunk, Result, Code>>(source, id, options);
  return { ...refsOf(state), stop: () => newest().stop() };
}

/** Each action, source, id or key has its own observer, so that nothing is ever shown, kept or called for another. */
function useObserved<Chunk, Result, Code extends string, Source extends RunSource<Chunk, Result, Code>>(
  source: MaybeRefOrGetter<Source>,
  id: MaybeRefOrGetter<string | undefined>,
  options: OptionRefs<StreamOptions<Chunk, Result, Code>>,
): {
  readonly state: ShallowRef<RunState<Chunk, Result, Code>>;
  readonly newest: () => RunObserver<Chunk, Result, Code, Source>;
} {
  const state = shallowRef() as ShallowRef<RunState<Chunk, Result, Code>>;
  const live = liveOf(options);
  // Nothing is followed on a server or before hydration; a bare effect scope has neither.
  const mounted = new Promise<void>((resolve) => (getCurrentInstance() ? onMounted(resolve) : resolve()));
  let observer!: RunObserver<Chunk, Result, Code, Source>;
  watch(
    [() => sourceOf(source), () => toValue(id), () => partsOf(live.persist)[0], () => partsOf(live.persist)[1]] as const,
    ([newestSource, newestId], _, onCleanup) => {
      const made = observer = new RunObserver(newestSource, live, newestId);
      const update = (): void => void (state.value = made.snapshot());
      const unsubscribe = made.subscribe(update);
      let isShown = true;
      onCleanup(() => {
        isShown = false;
        unsubscribe();
        made.leave();
      });
      update();
      // Not at once: another ref can change in the same turn.
      void mounted.then(() => isShown && made.resume());
    },
    { immediate: true, flush: "sync" },
  );
  return { state, newest: () => observer };
}

/** An action is itself a function, so it is never called as a getter. */
function sourceOf<Source extends object>(source: MaybeRefOrGetter<Source>): Source {
  const given = unref(source);
  return "attach" in given ? (given as Source) : (given as () => Source)();
}

/** Options that are read when they are used. */
function liveOf<Options extends object>(options: OptionRefs<Options>): Options {
  const get = (_: object, name: string): unknown => {
    const option = toValue(options)[name as keyof Options];
    return /^on[^U]/.test(name) ? unref(option) : toValue(option);
  };
  return new Proxy({}, { get }) as Options;
}

function refsOf<Chunk, Result, Code extends string>(
  state: ShallowRef<RunState<Chunk, Result, Code>>,
): RunRefs<Chunk, Result, Code> {
  const fields = Object.keys(state.value) as (keyof RunState)[];
  const refs = fields.map((field) => [field, computed(() => state.value[field])] as const);
  return Object.fromEntries(refs) as unknown as RunRefs<Chunk, Result, Code>;
}

/** Actions and their runs in Vue 3. */

import {
  computed, type ComputedRef, getCurrentInstance, type MaybeRefOrGetter, onMounted, onScopeDispose, shallowRef,
  type ShallowRef, toValue, watch,
} from "vue";
import { type ActionCommands, commandsOf, type RunCommands } from "./binding.js";
import type { Action, RunSource } from "./contract.js";
import type { RunState } from "./core/state.js";
import { type FollowOptions, RunObserver, type StreamOptions } from "./observer.js";

export type { ActionCommands, ExecuteArguments, ExecuteOptions, RunCommands } from "./binding.js";
export type { RunState, StreamStatus } from "./core/state.js";
export type { FollowOptions, StreamOptions } from "./observer.js";
export type { Persist, RunStorage } from "./persistence.js";

/** A run's state, each field a ref of its own. */
export type RunRefs<Chunk, Result, Code extends string> = {
  readonly [Field in keyof RunState]: ComputedRef<RunState<Chunk, Result, Code>[Field]>;
};

/** An action's newest run as refs, and what can be done. */
export type StreamAction<Input, Chunk, Result, Code extends string> =
  & RunRefs<Chunk, Result, Code>
  & ActionCommands<Input, Chunk, Result, Code>;

/** Execute an action from a component or an effect scope, and show its run as it goes. */
export function useStreamAction<Input, Chunk, Result, Code extends string = never>(
  action: Action<Input, Chunk, Result, Code>,
  options: StreamOptions<Chunk, Result, Code> = {},
): StreamAction<Input, Chunk, Result, Code> {
  const observer = new RunObserver(action, options);
  const state = shallowRef(observer.initial);
  onScopeDispose(show(observer, state));
  onceMounted(() => observer.resume());
  return { ...refsOf(state), ...commandsOf(observer) };
}

/** Show a run that was started elsewhere: on another page, on the server, by a click long ago. */
export function useRun<Chunk, Result, Code extends string = never>(
  source: RunSource<Chunk, Result, Code>,
  id: MaybeRefOrGetter<string | undefined>,
  options: FollowOptions<Chunk, Result, Code> = {},
): RunRefs<Chunk, Result, Code> & RunCommands {
  let isMounted = false;
  let observer = new RunObserver(source, options, toValue(id));
  const state = shallowRef(observer.initial);
  const begin = (newest: string | undefined, _: unknown, onCleanup: (end: () => void) => void): void => {
    // Another run is another observer, so that nothing is ever shown under a wrong id.
    observer = new RunObserver(source, options, newest);
    onCleanup(show(observer, state));
    if (isMounted) observer.resume();
  };
  watch(() => toValue(id), begin, { immediate: true, flush: "sync" });
  onceMounted(() => {
    isMounted = true;
    observer.resume();
  });
  return { ...refsOf(state), stop: () => observer.stop() };
}

function show<Chunk, Result, Code extends string>(
  observer: Pick<RunObserver<Chunk, Result, Code>, "subscribe" | "snapshot">,
  state: ShallowRef<RunState<Chunk, Result, Code>>,
): () => void {
  const update = (): void => void (state.value = observer.snapshot());
  update();
  return observer.subscribe(update);
}

/** Nothing is followed on a server, nor before the server's page has been taken over; a bare scope has neither. */
function onceMounted(callback: () => void): void {
  if (getCurrentInstance()) onMounted(callback);
  else callback();
}

function refsOf<Chunk, Result, Code extends string>(
  state: ShallowRef<RunState<Chunk, Result, Code>>,
): RunRefs<Chunk, Result, Code> {
  const fields = Object.keys(state.value) as (keyof RunState)[];
  const refs = fields.map((field) => [field, computed(() => state.value[field])] as const);
  return Object.fromEntries(refs) as unknown as RunRefs<Chunk, Result, Code>;
}

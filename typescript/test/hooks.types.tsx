/** What the hooks' types allow and what they must not; `tsc` is the test. */

import { computed, ref, type Ref } from "vue";
import { type Action, type Client, type ErrorOf, type FieldErrors, type Progress, type ProtocolCode, type Run, RunObserver, type Text } from "../src/index.js";
import { type StreamAction, useRun, useStreamAction } from "../src/react.js";
import * as solid from "../src/solid.js";
import * as svelte from "../src/svelte.js";
import * as vue from "../src/vue.js";

interface Row {
  readonly type: "row";
  readonly cells: readonly string[];
}
type Chunk = Text | Progress | Row;
interface Load {
  url: string;
  limit?: number;
}
type LoadError = ErrorOf<Load, "TOO_LARGE" | { NO_CREDIT: { left: number } }>;
interface Actions {
  readonly load: Action<Load, Chunk, { rows: number }, "TOO_LARGE" | { NO_CREDIT: { left: number } }>;
  readonly sweep: Action<{ days?: number }, Text, null>;
  readonly publish: Action<{ draft: string }, Text, null, never, { Decision: { publish: boolean }; bool: boolean }, { tone: string }>;
}
declare const client: Client<Actions>;

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <T extends true>(): T | undefined => undefined;

export function InReact() {
  const { execute, status, data, result, error, chunks, progress } = useStreamAction(client.load);

  is<Same<typeof data, Chunk | undefined>>();
  is<Same<typeof chunks, readonly Chunk[]>>();
  is<Same<typeof progress, Progress | undefined>>();
  if (data?.type === "row") is<Same<typeof data.cells, readonly string[]>>();
  // @ts-expect-error - a row has no text
  if (data?.type === "row") void data.text;
  if (data?.type === "text") is<Same<typeof data.text, string>>();

  if (status === "done") is<Same<typeof result, { rows: number }>>();
  else is<Same<typeof result, undefined>>();
  if (status === "error") {
    is<Same<typeof error, LoadError>>();
    is<Same<typeof error.code, "NO_CREDIT" | "TOO_LARGE" | ProtocolCode>>();
    if (error.code === "NO_CREDIT") is<Same<typeof error.data, { left: number }>>();
    if (error.code === "TOO_LARGE") is<Same<typeof error.data, unknown>>();
    is<Same<typeof error.fieldErrors, FieldErrors<"url" | "limit"> | null>>();
    // @ts-expect-error - the input has no such field
    void error.fieldErrors?.link;
    if (error.code === "NO_CREDIT" || error.code === "VALIDATION_ERROR") return null;
    // @ts-expect-error - no action says this
    if (error.code === "NO_CREDITS") return null;
  }
  // @ts-expect-error - there is no such status
  if (status === "completed") return null;

  void execute({ url: "/a" }, { idempotencyKey: "k" });
  // @ts-expect-error - the url is required
  void execute();
  // @ts-expect-error - the url is text
  void execute({ url: 1 });
  // @ts-expect-error - stop, reset and unmounting do what a signal would
  void execute({ url: "/a" }, { signal: AbortSignal.timeout(1) });
  void execute(new FormData());
  // @ts-expect-error - an event is not an input
  void (<button onClick={execute} />);
  void execute({ url: "/a" }).then((end) => {
    if (end.status === "done") is<Same<typeof end.result.rows, number>>();
  });
  return null;
}

export function Asking() {
  const { questions, answer, send } = useStreamAction(client.publish, {
    onQuestion: ({ name }) => is<Same<typeof name, "Decision" | "bool">>(),
    onAnswer: ({ value }) => is<Same<typeof value, { publish: boolean } | boolean | undefined>>(),
  });
  const vueQuestions = vue.useStreamAction(client.publish).questions.value;
  const [question] = questions.length ? questions : vueQuestions;

  if (question?.name === "Decision") {
    void answer(question, { publish: true });
    // @ts-expect-error - the question asks for something else
    void answer(question, true);
  }
  // @ts-expect-error - the action asks for no such type
  if (question?.name === "Choice") return null;
  void answer("1", true);
  // @ts-expect-error - no question asks for text
  void answer("1", "yes");
  void send({ tone: "warm" });
  // @ts-expect-error - a message has a tone
  void send("warm");
  return null;
}

export function ofAskingRuns(anyRun: (run: Run) => void, anyAction: (shown: StreamAction<{ draft: string }, Text, null, unknown>) => void) {
  const run = client.publish({ draft: "Dear" });
  const [question] = run.questions;

  if (question?.name === "bool") void run.answer(question, false);
  // @ts-expect-error - the action asks for no text
  void run.answer("1", "yes");
  // @ts-expect-error - a message has a tone
  void run.send({});
  const silent = client.sweep();
  is<Same<typeof silent.questions, readonly never[]>>();
  // @ts-expect-error - the action asks nothing
  void silent.answer("1", true);
  // @ts-expect-error - the action takes no messages
  void silent.send("faster");
  anyRun(run);
  anyRun(silent);
  anyAction(useStreamAction(client.publish));
  void client.runs.attach("r1").answer("1", { any: "value" });
  return null;
}

export function WithOptions() {
  const { execute, error } = useStreamAction(client.sweep, {
    keep: Infinity,
    throttleMs: 100,
    onUnmount: "stop",
    concurrent: "queue",
    persist: { key: "sweep", storage: localStorage },
    onChunk: (chunk) => is<Same<typeof chunk, Text>>(),
    onDone: (result) => is<Same<typeof result, null>>(),
    onError: (failure) => is<Same<typeof failure.code, ProtocolCode>>(),
    onCancelled: undefined,
  });
  // @ts-expect-error - a chunk of this action is text
  useStreamAction(client.sweep, { onChunk: (chunk: Row) => chunk });
  // @ts-expect-error - there is no such choice
  useStreamAction(client.sweep, { concurrent: "parallel" });
  void execute();
  void execute({ days: 3 });
  if (error) is<Same<typeof error.code, ProtocolCode>>();
  return null;
}

export function OfARun({ id }: { readonly id: string | undefined }) {
  const mine = useRun(client.load, id);
  is<Same<Exclude<typeof mine.error, undefined>, LoadError>>();
  const anybodys = useRun(client.runs, id);

  if (mine.data?.type === "row") mine.data.cells satisfies readonly string[];
  is<Same<typeof anybodys.data, unknown>>();
  // @ts-expect-error - what was started elsewhere is executed elsewhere
  void mine.execute;
  return null;
}

export function inVue() {
  const { execute, data, error, status } = vue.useStreamAction(client.load);

  if (data.value?.type === "row") data.value.cells satisfies readonly string[];
  is<Same<typeof error.value, LoadError | undefined>>();
  if (error.value?.code === "NO_CREDIT") error.value.data.left satisfies number;
  // @ts-expect-error - the input has no such field
  void error.value?.fieldErrors?.link;
  is<Same<typeof status.value, "idle" | "streaming" | "done" | "error" | "cancelled">>();
  // @ts-expect-error - the state is only read
  data.value = undefined;
  // @ts-expect-error - the url is required
  void execute();
  void execute({ url: "/a" });
  const { data: newest } = vue.useRun(client.load, () => "r1");
  is<Same<typeof newest.value, Chunk | undefined>>();
}

export function inSvelteAndSolid() {
  for (const { error } of [svelte.useStreamAction(client.load), solid.useStreamAction(() => client.load)]) {
    is<Same<Exclude<typeof error, undefined>, LoadError>>();
    if (error?.code === "NO_CREDIT") error.data.left satisfies number;
    // @ts-expect-error - the input has no such field
    void error?.fieldErrors?.link;
  }
}

export function inVueWithRefs(persist: Ref<string>, client: Client<Actions>, load: Ref<Client<Actions>["load"]>) {
  const { execute, data } = vue.useStreamAction(load, {
    persist,
    keep: ref(3),
    onChunk: (chunk) => is<Same<typeof chunk, Chunk>>(),
  });
  const { result } = vue.useStreamAction(() => client.load, () => ({ onDone: ({ rows }) => is<Same<typeof rows, number>>() }));
  const run = vue.useRun(ref(client.load), "r1", computed(() => ({ keep: 1 })));

  is<Same<typeof data.value, Chunk | undefined>>();
  is<Same<typeof result.value, { rows: number } | undefined>>();
  is<Same<typeof run.data.value, Chunk | undefined>>();
  void execute({ url: "/a" });
  // @ts-expect-error - the url is required
  void execute();
  // @ts-expect-error - a key is text
  vue.useStreamAction(load, { persist: ref(1) });
}

export function withoutAFramework() {
  const observer = new RunObserver(client.load, { keep: 1 });
  const { data } = observer.snapshot();

  is<Same<typeof data, Chunk | undefined>>();
  void observer.execute((load) => load({ url: "/a" }));
  // @ts-expect-error - the url is required
  void observer.execute((load) => load({}));
}

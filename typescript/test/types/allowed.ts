/** What generated types allow; that this file compiles is the test. */

import { type ActionError, type AnyAction, type Append, type Client, createClient, type ErrorOf, type FieldErrors, type FieldPath, type Files, type ProtocolCode, readStreamableValue, type Run, type Runs, type Value } from "yieldwire";
import { shareStreams } from "yieldwire/sharing";
import type { Actions, Circle, Credit, Decision, Deep, DrawInput, ImportContactsInput, Order, OrderInput, Plan, Progress, Square, Summary, Text, Tree } from "./actions.gen.js";

declare const client: Client<Actions>;
declare const file: File;
declare const order: OrderInput;

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <T extends true>(): T | undefined => undefined;

/** An input has what is required, and can have the rest. */
export function inputs(): void {
  client.importContacts({ file });
  client.importContacts({ file: new Blob(["a"]), extra: [file], dry_run: true }, { idempotencyKey: "k" });
  client.importContacts({ file, extra: null });
  client.draw({ shape: { kind: "circle" }, also: [{ kind: "square", side: 1 }], tree: { name: "a" } });
  client.draw({ shape: { kind: "circle", radius: 2 }, also: [] as const, tree: null });
  client.keep(order);
  client.keep({ ...order, both: [1, null], pair: [1], size: "m", counts: { a: null }, by_colour: { red: 1 } });
  client.echoOdd({ odd: { "a-b": 1, 'say "x\\\u2028': "", more: true }, loop: 1, deep: [1, { a: [2] }], file: { path: "" } });
}

/** A form can be sent as it is, and what a page chose as a list of files. */
export function forms(form: FormData, chosen: FileList): void {
  client.importContacts(form);
  void client.importContacts.start(form, { detached: true });
  client.ping(form);
  client.importContacts({ file, extra: chosen });
  chosen satisfies Files;
  [file] satisfies Files;
}

/** What can be missing can be passed on, also under `exactOptionalPropertyTypes`. */
export async function maybe(signal: AbortSignal | undefined, label: string | undefined): Promise<void> {
  const token: string | undefined = label;
  client.ping({}, { signal, idempotencyKey: label, webhook: label, detached: undefined, transport: undefined, method: undefined, keep: undefined, onUpload: undefined });
  client.ping.attach("id", label, { signal, transport: undefined });
  await client.runs.list({ label, status: undefined, action: label, limit: undefined, before: label });
  createClient({ url: "/", token, headers: undefined, credentials: undefined, fetch: shareStreams({ name: label, fetch: undefined }), giveUpMs: undefined, keep: undefined });
}

/** Without generated types every name is an action, also under `noUncheckedIndexedAccess`. */
export async function untyped(): Promise<void> {
  const anything = createClient({ url: "/" });
  const run: Run = anything.count({ to: 3 });
  for await (const chunk of anything.count()) void chunk;
  for await (const chunk of run) is<Same<typeof chunk, unknown>>();
  const count: AnyAction = anything.count;
  is<Same<Awaited<ReturnType<ReturnType<typeof count>["result"]>>, unknown>>();
  is<Same<typeof anything.runs, Runs>>();
}

/** A streamable value has the type that its chunks say, or one that is told. */
export async function values(run: Run): Promise<void> {
  for await (const value of readStreamableValue(client.countUp({ step: 1 }))) is<Same<typeof value, number>>();
  for await (const value of readStreamableValue({} as Run<Value<"a" | "b"> | Value<null> | Append>)) is<Same<typeof value, "a" | "b" | null>>();
  for await (const value of readStreamableValue({} as Run<Append>)) is<Same<typeof value, string>>();
  for await (const value of readStreamableValue(run)) is<Same<typeof value, unknown>>();
  for await (const value of readStreamableValue<Plan>(run)) is<Same<typeof value, Plan>>();
  for await (const value of readStreamableValue<number>(client.countUp({ step: 1 }))) is<Same<typeof value, number>>();
}

/** An input that is optional as a whole can be left out. */
export function optional(): void {
  client.watch();
  client.watch({});
  client.watch({ limit: 3 });
  client.ping();
  client.ping({});
  void client.ping.start();
  void client.watch.start({ limit: 3 }, { idempotencyKey: "k" });
}

/** An input is the caller's own, to be put together. */
export function mutable(input: OrderInput): void {
  input.note = null;
  input.level = 2;
}

/** Chunks narrow by what tells them apart. */
export async function chunks(): Promise<string> {
  for await (const chunk of client.suggestFeature({ page: "/" })) {
    is<Same<typeof chunk, Text | Progress>>();
    switch (chunk.type) {
      case "text":
        is<Same<typeof chunk.text, string>>();
        break;
      case "progress":
        is<Same<typeof chunk.percent, number | null>>();
        break;
      default:
        return chunk satisfies never;
    }
  }
  for await (const chunk of client.draw({ shape: { kind: "circle" }, also: [] })) {
    is<Same<typeof chunk, Circle | Square | Text | Progress>>();
    if ("kind" in chunk) is<Same<typeof chunk, Circle | Square>>();
    if ("kind" in chunk && chunk.kind === "circle") is<Same<typeof chunk.radius, number>>();
  }
  for await (const chunk of client.countUp({ step: 1 })) {
    if (chunk.type === "value") is<Same<typeof chunk.value, number>>();
    else is<Same<typeof chunk.text, string>>();
  }
  for await (const chunk of client.keep(order)) return chunk satisfies never;
  for await (const chunk of client.watch()) is<Same<typeof chunk, unknown>>();
  return "";
}

/** A result has all that the server always sends. */
export async function results(): Promise<void> {
  const { rows, skipped } = await client.importContacts({ file }).result();
  is<Same<typeof skipped, number>>();
  is<Same<typeof rows, number>>();
  is<Same<Awaited<ReturnType<ReturnType<Actions["keep"]>["result"]>>, Order>>();
  is<Same<Awaited<ReturnType<ReturnType<Actions["draw"]>["result"]>>, Tree>>();
  is<Same<Awaited<ReturnType<ReturnType<Actions["suggestFeature"]>["result"]>>, Plan>>();
  is<Same<Awaited<ReturnType<ReturnType<Actions["ping"]>["result"]>>, null>>();
  const kept = await client.keep(order).result();
  is<Same<typeof kept.by_colour, { readonly [key in "red" | "blue"]?: number }>>();
  const [odd, , deep, , pair] = await client.echoOdd({ odd: { "a-b": 1, 'say "x\\\u2028': "" }, loop: 1, deep: 1, file: { path: "" } }).result();
  is<Same<(typeof odd)["1"], string>>();
  is<Same<typeof deep, Deep>>();
  is<Same<(typeof pair)[1], string>>();
}

/** What came back can be sent again. */
export async function again(): Promise<void> {
  const kept = await client.keep(order).result();
  client.keep(kept);
}

/** An error has a code of the action's own, or one of the framework. */
export function errors(): void {
  const { error } = client.importContacts({ file });
  is<Same<Exclude<typeof error, undefined>, ErrorOf<ImportContactsInput, "TOO_MANY_ROWS" | { OUT_OF_CREDIT: Credit }>>>();
  if (error) is<Same<typeof error.code, "OUT_OF_CREDIT" | "TOO_MANY_ROWS" | ProtocolCode>>();
  const { error: bare } = client.ping();
  if (bare) is<Same<typeof bare.code, ProtocolCode>>();
  const { error: any } = createClient({ url: "/" }).runs.attach("id");
  is<Same<typeof any, ActionError | undefined>>();
  error satisfies ActionError | undefined;
}

/** An error's data has the type that its class says, once the code is known. */
export function errorData(): number | undefined {
  const { error } = client.importContacts({ file });
  if (error?.code === "TOO_MANY_ROWS") is<Same<typeof error.data, unknown>>();
  if (error?.code === "VALIDATION_ERROR") is<Same<typeof error.data, unknown>>();
  return error?.code === "OUT_OF_CREDIT" ? error.data.balance : undefined;
}

/** The messages for an invalid input are found by the paths of its fields. */
export function fieldErrors(n: number, path: FieldPath<DrawInput>): void {
  const { error } = client.importContacts({ file });
  is<Same<Exclude<typeof error, undefined>["fieldErrors"], FieldErrors<"file" | "extra" | `extra.${string}` | "dry_run"> | null>>();
  void error?.fieldErrors?.dry_run?.join(" ");
  void error?.fieldErrors?._root;
  void error?.fieldErrors?.["extra.0"];
  const { error: ofDraw } = client.draw({ shape: { kind: "circle" }, also: [] });
  void ofDraw?.fieldErrors?.[path];
  void ofDraw?.fieldErrors?.[`also.${n}`];
  void ofDraw?.fieldErrors?.["also.0.circle.radius"];
  void ofDraw?.fieldErrors?.["shape.square.side"];
  void ofDraw?.fieldErrors?.["tree.children.0.children.1.name"];
  const { error: ofKeep } = client.keep(order);
  void ofKeep?.fieldErrors?.[`table.${n}.${n}`];
  void ofKeep?.fieldErrors?.["counts.apples"];
  void ofKeep?.fieldErrors?.["price.int"];
  const { error: ofAny } = createClient({ url: "/" }).count();
  void ofAny?.fieldErrors?.["anything"];
}

/** A question's name says what its answer is, and a message is what the action takes. */
export async function questions(): Promise<void> {
  const run = client.publish({ plan: "a" });
  const [question] = run.questions;
  if (question?.name === "Decision") await run.answer(question, { publish: true });
  if (question?.name === "bool") await run.answer(question, true);
  await run.answer("1", { publish: false, remark: "Not yet." });
  await run.send({ tone: "warm" });
  await client.rewrite.attach("id").send({ tone: "sober" });
  await client.runs.attach("id").answer("1", "anything");
  for await (const event of run.events()) if (event.type === "answer") is<Same<typeof event.data.value, Decision | boolean | undefined>>();
}

/** A run that exists is followed with the same types. */
export async function attached(): Promise<Summary> {
  for await (const chunk of client.importContacts.attach("id")) is<Same<typeof chunk, Progress>>();
  return client.importContacts.attach("id", "cursor").result();
}

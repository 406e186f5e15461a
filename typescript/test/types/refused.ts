/**
 * What generated types refuse. Each directive names the error that it expects, and `types.test.ts` takes each away
 * alone: what is then said, and nothing else, must be that error on the line below.
 */

import type { Client } from "yieldwire";
import type { Actions, OrderInput, Summary } from "./actions.gen.js";

declare const client: Client<Actions>;
declare const file: File;
declare const order: OrderInput;

export function inputs(): void {
  // @ts-expect-error TS2554: an input with a required field is required
  client.importContacts();
  // @ts-expect-error TS2345: the file is required
  client.importContacts({});
  // @ts-expect-error TS2322: a file is not a path
  client.importContacts({ file: "contacts.csv" });
  // @ts-expect-error TS2353: there is no such field
  client.importContacts({ file, dryRun: true });
  // @ts-expect-error TS2345: a field that can be left out is not undefined
  client.watch({ limit: undefined });
  // @ts-expect-error TS2322: an action without parameters takes none
  client.ping({ limit: 1 });
  // @ts-expect-error TS2322: not one of the words
  client.suggestFeature({ page: "/", kind: "new-capability" });
  // @ts-expect-error TS2322: the tag is required although it has a default
  client.draw({ shape: { radius: 1 }, also: [] });
  // @ts-expect-error TS2353: a square has no radius
  client.draw({ shape: { kind: "square", side: 1, radius: 1 }, also: [] });
  // @ts-expect-error TS2322: the second item is text
  client.keep({ ...order, both: [1, 2] });
  // @ts-expect-error TS2353: not one of the keys
  client.keep({ ...order, by_colour: { green: 1 } });
  // @ts-expect-error TS2322: a number, at any depth
  client.echoOdd({ odd: { "a-b": 1, 'say "x\\\u2028': "" }, loop: 1, deep: [[["a"]]], file: { path: "" } });
}

export function names(): void {
  // @ts-expect-error TS2339: there is no such action
  client.sendMail({ file });
  // @ts-expect-error TS2551: in camelCase
  client.import_contacts({ file });
}

export async function chunks(): Promise<void> {
  for await (const chunk of client.suggestFeature({ page: "/" })) {
    // @ts-expect-error TS2339: not every chunk has one
    void chunk.percent;
    // @ts-expect-error TS2367: no chunk is of this type
    if (chunk.type === "value") return;
    // @ts-expect-error TS2551: a text has another field
    if (chunk.type === "text") void chunk.texts;
    // @ts-expect-error TS18047: the total can be unknown
    if (chunk.type === "progress") void (chunk.current / chunk.total);
    // @ts-expect-error TS2540: what came is not changed
    if (chunk.type === "text") chunk.text = "";
  }
}

export async function results(): Promise<void> {
  const summary = await client.importContacts({ file }).result();
  // @ts-expect-error TS2339: there is no such field
  void summary.total;
  // @ts-expect-error TS2540: what came is not changed
  summary.rows = 1;
  // @ts-expect-error TS2739: another action's result
  const other: Summary = await client.draw({ shape: { kind: "circle" }, also: [] }).result();
  void other;
  const kept = await client.keep(order).result();
  // @ts-expect-error TS2339: a list that came is not changed either
  kept.tags.push("a");
}

export function errors(): void {
  const { error } = client.importContacts({ file });
  // @ts-expect-error TS2367: the action does not say this
  if (error?.code === "OUT_OF_CREDITS") return;
  const { error: other } = client.suggestFeature({ page: "/" });
  // @ts-expect-error TS2367: another action says this
  if (other?.code === "OUT_OF_CREDIT") return;
  // @ts-expect-error TS18046: its data has no type before the code is known
  void error?.data.balance;
  // @ts-expect-error TS2551: the data of this error has another field
  if (error?.code === "OUT_OF_CREDIT") void error.data.balances;
  // @ts-expect-error TS2540: what came is not changed
  if (error?.code === "OUT_OF_CREDIT") error.data.balance = 1;
}

export function fieldErrors(path: string): void {
  const { error } = client.importContacts({ file });
  // @ts-expect-error TS2551: a field of another name
  void error?.fieldErrors?.dryRun;
  // @ts-expect-error TS7053: not every text is a path
  void error?.fieldErrors?.[path];
  const { error: ofDraw } = client.draw({ shape: { kind: "circle" }, also: [] });
  // @ts-expect-error TS7053: a tree has no such field
  void ofDraw?.fieldErrors?.["tree.title"];
  // @ts-expect-error TS2551: a list has numbers
  void ofDraw?.fieldErrors?.["tree.children.name"];
  const { error: ofKeep } = client.keep(order);
  // @ts-expect-error TS7053: a text has no fields
  void ofKeep?.fieldErrors?.["id.value"];
}

export function questions(): void {
  const run = client.publish({ plan: "a" });
  const [question] = run.questions;
  // @ts-expect-error TS2345: another type is asked for
  if (question?.name === "Decision") void run.answer(question, true);
  // @ts-expect-error TS2367: the action asks for no such type
  if (question?.name === "Choice") return;
  // @ts-expect-error TS2345: no question has this answer
  void run.answer("1", "yes");
  // @ts-expect-error TS2322: a wish of another tone
  void run.send({ tone: "cold" });
  // @ts-expect-error TS2345: the action asks nothing
  void client.rewrite({ plan: "a" }).answer("1", true);
  // @ts-expect-error TS2345: the action takes no messages
  void client.ping().send("hello");
}

/** Questions that an action asks the readers of its run. */

import type { RunEvent } from "./event.js";

/** The types of the answers that any action asks for, by their names; `any`, as a run of known questions is also a run of any. */
export type AnyAsks = any;

/** A question. `name` is the name of the answer's type, and `schema` its JSON Schema. */
export type Question<Asks = AnyAsks> = {
  readonly [Name in keyof Asks & string]: {
    /** Unique within the run. */
    readonly id: string;
    readonly prompt: string;
    readonly name: Name;
    readonly schema: Readonly<Record<string, unknown>>;
    /** What helps to answer, for people or for a program. */
    readonly detail?: unknown;
    /** When the time for an answer is over, in ISO 8601. */
    readonly expiresAt?: string;
  };
}[keyof Asks & string];

/** The answer to a question, or the end of the time for one; then `value` is what the action continues with, if it has a default. */
export interface Answer<Value = unknown> {
  readonly id: string;
  readonly value?: Value;
  /** The owner who answered; null if that was an anonymous caller, or nobody. */
  readonly by?: string | null;
  /** Whether nobody answered in time. */
  readonly timedOut?: boolean;
}

/** The open questions after an event, in the order of asking; one whose id is known replaces that question. */
export function questionsAfter<Asks>(open: readonly Question<Asks>[], { type, data }: RunEvent<unknown, unknown, Asks>): readonly Question<Asks>[] {
  if (type !== "question" && type !== "answer") return open;
  const byId = new Map(open.map((question) => [question.id, question]));
  if (type === "question") byId.set(data.id, data);
  else byId.delete(data.id);
  return [...byId.values()];
}

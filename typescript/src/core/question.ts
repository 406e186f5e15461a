/** Questions that an action asks the readers of its run. */

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

/** The part of an event that questions depend on. */
type Asked<Asks> =
  | { readonly type: "question"; readonly data: Question<Asks> }
  | { readonly type: "answer"; readonly data: Answer }
  | { readonly type: "chunk" | "restarted" | "done" | "error" | "cancelled" };

/** The open questions after an event, in the order of asking; one whose id is known replaces that question. */
export function questionsAfter<Asks>(open: readonly Question<Asks>[], event: Asked<Asks>): readonly Question<Asks>[] {
  if (event.type !== "question" && event.type !== "answer") return open;
  const byId = new Map(open.map((question) => [question.id, question]));
  if (event.type === "question") byId.set(event.data.id, event.data);
  else byId.delete(event.data.id);
  return [...byId.values()];
}

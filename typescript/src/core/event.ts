/** The content of a run's log, the same for every transport. */

import type { Answer, AnyAsks, Question } from "./question.js";
import type { RunStatus } from "./status.js";

/** The details of an unexpected exception. Sent only by a server in development. */
export interface Debug {
  readonly type: string;
  readonly message: string;
  readonly traceback: string;
}

/** An error object as the protocol writes it, in an answer and in the `error` and `cancelled` events. */
export interface ErrorObject {
  readonly code: string;
  readonly message: string;
  readonly statusCode: number;
  readonly retryable: boolean;
  readonly fieldErrors: Readonly<Record<string, readonly string[]>> | null;
  readonly data: unknown;
  readonly runId: string | null;
  readonly errorId: string | null;
  /** The details of an unexpected exception, sent only by a server in development. */
  readonly debug?: Debug;
}

/** One event of a run's log. */
export type RunEvent<Chunk = unknown, Result = unknown, Asks = AnyAsks> =
  | { readonly seq: number; readonly type: "chunk"; readonly data: Chunk }
  | { readonly seq: number; readonly type: "question"; readonly data: Question<Asks> }
  | { readonly seq: number; readonly type: "answer"; readonly data: Answer<Asks[keyof Asks]> }
  | { readonly seq: number; readonly type: "restarted"; readonly data: Restarted }
  | { readonly seq: number; readonly type: "done"; readonly data: { readonly result?: Result } }
  | { readonly seq: number; readonly type: "error"; readonly data: ErrorObject }
  | { readonly seq: number; readonly type: "cancelled"; readonly data: ErrorObject };

/** An attempt was lost, and there is another one. */
export interface Restarted {
  readonly attempt: number;
  /** The seq of the run's saved place: chunks up to it still count, later ones no longer do. Without it none counts. */
  readonly keep?: number;
}

/** A chunk that says how far the work is; the newest one counts. */
export interface Progress {
  readonly type: "progress";
  readonly current: number;
  readonly total: number | null;
  readonly message: string | null;
  readonly percent: number | null;
}

/** A chunk of text; the texts of a run are concatenated. */
export interface Text {
  readonly type: "text";
  readonly text: string;
}

/** A streamable value's new value. */
export interface Value<T = unknown> {
  readonly type: "value";
  readonly value: T;
}

/** Text appended to a streamable value. */
export interface Append {
  readonly type: "append";
  readonly text: string;
}

/** Where a pending run waits. */
export interface Waiting {
  /** About how many runs are before it in its queue; null if that is not known. */
  readonly before: number | null;
  /** About how long it waits; null if that is not known. */
  readonly expectedMs: number | null;
  /** The time before which it does not start, or null. */
  readonly notBefore: string | null;
}

/** A run's state in one object. */
export interface Snapshot<Chunk = unknown, Result = unknown> {
  readonly id: string;
  readonly action: string;
  /** The run whose action started this one. */
  readonly parent: string | null;
  readonly status: RunStatus;
  readonly labels: readonly string[];
  readonly attempt: number;
  readonly seq: number;
  readonly firstSeq: number;
  readonly progress: Progress | null;
  /** The texts of all chunks; left out of a poll with `after`. */
  readonly text?: string | null;
  readonly chunk: Chunk | null;
  readonly result: Result | null;
  readonly error: ErrorObject | null;
  /** The open questions, in the order of asking. */
  readonly questions: readonly Question[];
  readonly cancelRequested: boolean;
  /** Where the run waits in its queue or for its time; null if it does not. */
  readonly waiting: Waiting | null;
  readonly detached: boolean;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly retryAfterMs: number | null;
  /** The events after the cursor of a poll, and the cursor to continue from. */
  readonly events?: readonly RunEvent<Chunk, Result>[];
  readonly cursor?: string;
}

/** One run in a list. With `details`, one that has not ended has more. */
export type RunInfo =
  & Pick<Snapshot, "id" | "action" | "parent" | "status" | "labels" | "attempt" | "seq" | "createdAt" | "startedAt" | "endedAt">
  & Partial<Pick<Snapshot, "progress" | "questions" | "waiting" | "cancelRequested">>;

/** The text that a chunk adds to its run: a string, or what a `text` or an `append` chunk carries. */
export function textOf(chunk: unknown): string {
  const { type, text } = fieldsOf(chunk);
  const found = type === "text" || type === "append" ? text : chunk;
  return typeof found === "string" ? found : "";
}

/** Whether a chunk says how far the work is. */
export function isProgress(chunk: unknown): chunk is Progress {
  return fieldsOf(chunk)["type"] === "progress";
}

/** The fields of an object, or none for any other value. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

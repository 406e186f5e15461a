/** The frames of the native protocol: what the messages of its event streams, and its lines, say. */

import { protocolError } from "./error.js";
import { fieldsOf, type RunEvent } from "./event.js";
import type { Message } from "./sse.js";
import { type RunStatus, TRANSITIONS } from "./status.js";

/** Begins every answer: which run this is, and the cursor that the answer continues from. */
export interface Opening {
  readonly kind: "opening";
  readonly cursor: string;
  readonly runId: string;
  readonly status: RunStatus;
  readonly firstSeq: number | undefined;
}

/** The log begins later than what was asked for. */
export interface Reset {
  readonly kind: "reset";
  readonly firstSeq: number;
}

/** One event of the log. One of a type that is not known here has only a place, and perhaps not even that. */
export interface EventFrame {
  readonly kind: "event";
  /** Where a type that is not known here has its place. */
  readonly runId?: string | undefined;
  readonly event: RunEvent;
}

/** How long to wait before coming back. */
export interface Retry {
  readonly kind: "retry";
  readonly retryMs: number;
}

/** What a connection brings, whole. */
export type Frame = Opening | Reset | EventFrame | Retry;

const CURSOR = /^([A-Za-z0-9_~-]{1,64})\.(0|[1-9][0-9]{0,14})$/;

/** The cursor behind an event. */
export function cursorOf(runId: string, seq: number): string {
  return `${runId}.${seq}`;
}

/** The two halves of a cursor, or undefined where it is none. */
export function readCursor(cursor: string): { readonly runId: string; readonly seq: number } | undefined {
  const [, runId, seq] = CURSOR.exec(cursor) ?? [];
  return runId === undefined ? undefined : { runId, seq: Number(seq) };
}

/** Whether this is the type of an event that this version of the protocol knows. */
export function isKnown(type: unknown): boolean {
  return Object.hasOwn(TRANSITIONS.running, type as string);
}

/** What a message says. Throws `PROTOCOL_ERROR` where it is no frame of this protocol. */
export function frameOf({ id, type: name, data }: Message): Frame {
  const type = name === "message" ? "chunk" : name;
  const { runId, seq } = readCursor(id) ?? {};
  const isOpening = type === "run";
  if (type === "reset") return resetOf(parse(data));
  if (!isOpening && !isKnown(type)) return { ...eventOf(seq, type), runId };
  if (seq === undefined) throw protocolError(`Not a cursor: ${id}`);
  return isOpening ? openingOf(id, parse(data)) : eventOf(seq, type, parse(data));
}

/** What a line of newline-delimited JSON says. Throws `PROTOCOL_ERROR` where it is no event. */
export function frameOfLine(line: string): Frame {
  const { seq, type, data } = fieldsOf(parse(line));
  if (type === "reset") return resetOf(data);
  const isEvent = isKnown(type) ? Number.isSafeInteger(seq) : typeof type === "string";
  if (!isEvent) throw protocolError(`There is no event "${type as string}".`);
  return eventOf(seq, type, data);
}

function eventOf(seq: unknown, type: unknown, data?: unknown): EventFrame {
  return { kind: "event", event: { seq, type, data } as RunEvent };
}

function openingOf(cursor: string, value: unknown): Opening {
  const { id, status, firstSeq } = fieldsOf(value);
  if (typeof id !== "string") throw protocolError("Not an opening.");
  return {
    kind: "opening",
    cursor,
    runId: id,
    status: status as RunStatus,
    firstSeq: typeof firstSeq === "number" ? firstSeq : undefined,
  };
}

function resetOf(value: unknown): Reset {
  const { firstSeq } = fieldsOf(value);
  if (typeof firstSeq !== "number") throw protocolError("Not a reset.");
  return { kind: "reset", firstSeq };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw protocolError(`Not JSON: ${text.slice(0, 80)}`);
  }
}

/** The frames of the native protocol, from the messages of its event streams and from its lines. */

import { type ActionError, protocolError } from "./error.js";
import { fieldsOf, type RunEvent, type Waiting } from "./event.js";
import type { Message } from "./sse.js";
import { AFTER, type RunStatus } from "./status.js";

/** Starts every answer: names the run, and the cursor from which the answer continues. It comes again while the run waits. */
export interface Opening extends State {
  readonly kind: "opening";
  readonly cursor: string;
}

/** What an opening says of its run. */
interface State {
  readonly id: string;
  readonly status: RunStatus;
  readonly firstSeq?: number;
  readonly waiting?: Waiting | null;
}

/** The log starts later than requested. */
export interface Reset {
  readonly kind: "reset";
  readonly firstSeq: number;
}

/** One event of the log. An event of an unknown type has only a place, or not even that. */
export interface EventFrame {
  readonly kind: "event";
  /** The place of an event of an unknown type. */
  readonly runId?: string | undefined;
  /** The cursor after the event, if it came with one. */
  readonly cursor?: string | undefined;
  readonly event: RunEvent;
}

/** A complete frame of a connection. */
export type Frame = Opening | Reset | EventFrame;

const CURSOR = /^([\w~-]{1,64})\.(0|[1-9]\d{0,14})(\.[\da-f]{5})?$/;

/** The cursor after an event, without the mark that the server can give it. */
export function cursorOf(runId: string, seq: number): string {
  return `${runId}.${seq}`;
}

/** The run and the seq of a cursor, or undefined if it is invalid. */
export function readCursor(cursor: string): { readonly runId: string; readonly seq: number } | undefined {
  const [, runId, seq] = CURSOR.exec(cursor) ?? [];
  return runId === undefined ? undefined : { runId, seq: Number(seq) };
}

/** Whether this is the type of an event that this version of the protocol knows. */
export function isKnown(type: unknown): boolean {
  return Object.hasOwn(AFTER, type as string);
}

/** The frame in a message. Throws `PROTOCOL_ERROR` if it is not a frame of this protocol. */
export function frameOf({ id, type: name, data }: Message): Frame {
  const type = name === "message" ? "chunk" : name;
  const { runId, seq } = readCursor(id) ?? {};
  if (type === "reset") return resetOf(parse(data), data);
  if (type !== "run" && !isKnown(type)) return { ...eventOf(seq, type), cursor: id, runId };
  if (seq === undefined) throw wrong(id);
  if (type !== "run") return { ...eventOf(seq, type, parse(data)), cursor: id };
  const state = fieldsOf(parse(data)) as unknown as State;
  if (!state.id) throw wrong(data);
  return { ...state, kind: "opening", cursor: id };
}

/** The event in a line of newline-delimited JSON. Throws `PROTOCOL_ERROR` if it is not an event. */
export function frameOfLine(line: string): Frame {
  const { seq, type, data } = fieldsOf(parse(line));
  if (type === "reset") return resetOf(data, line);
  const isEvent = isKnown(type) ? Number.isSafeInteger(seq) : typeof type === "string";
  if (!isEvent) throw wrong(line);
  return eventOf(seq, type, data);
}

function eventOf(seq: unknown, type: unknown, data?: unknown): EventFrame {
  return { kind: "event", event: { seq, type, data } as RunEvent };
}

function resetOf(value: unknown, text: string): Reset {
  const { firstSeq } = fieldsOf(value);
  if (typeof firstSeq !== "number") throw wrong(text);
  return { kind: "reset", firstSeq };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw wrong(text);
  }
}

function wrong(text: string): ActionError {
  return protocolError(`Not a frame: ${text.slice(0, 80)}`);
}

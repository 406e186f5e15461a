/**
 * A run's log as a client has seen it, and the state derived from it: status, text, progress, outcome.
 *
 * The cursor moves with complete frames only, because incomplete ones never get here, and never backwards:
 * an event that was repeated on the way is dropped.
 */

import { ActionError, failure, protocolError } from "./error.js";
import { isProgress, type Progress, type Restarted, type RunEvent, type Snapshot, textOf, type Waiting } from "./event.js";
import { cursorOf, type Frame, isKnown, type Opening, readCursor } from "./frame.js";
import { Prose } from "./prose.js";
import { type AnyAsks, type Question, questionsAfter } from "./question.js";
import { Replay } from "./replay.js";
import { AFTER, LIVE, type RunStatus, TERMINAL } from "./status.js";

const FOREIGN = "Not a cursor of this run";
/** The default maximum of past events that a late iteration sees. */
const KEEP = 10_000;

/** How a run ended. */
export interface Outcome<Result> {
  /** The error of a failed or cancelled run. */
  readonly error: ActionError | undefined;
  readonly result: Result | undefined;
}

/** The part of one run that has been seen. */
export class RunLog<Chunk = unknown, Result = unknown> {
  declare id: string | undefined;
  declare status: RunStatus | undefined;
  attempt = 1;
  seq = 0;
  firstSeq = 1;
  declare progress: Progress | undefined;
  declare waiting: Waiting | null | undefined;
  /** The open questions. */
  questions: readonly Question[] = [];
  /** Set when the terminal event, or a snapshot in its place, was taken. */
  outcome: Outcome<Result> | undefined;
  /** The newest events. */
  readonly replay: Replay<RunEvent<Chunk, Result>>;
  /** The cursor at `seq`, as the server gave it. */
  #cursor: string | undefined;
  readonly #prose = new Prose(Infinity);
  /** Whether text is collected; for a run whose text nobody reads it would only use memory. */
  readonly #keepsText: boolean;
  /** For each restart, between which two events chunks no longer count. */
  readonly #lost: (readonly [after: number, before: number])[] = [];

  /** `keep`: how many events are kept; with 0, text is not collected either. */
  constructor(keep?: number) {
    this.replay = new Replay(keep, KEEP);
    this.#keepsText = keep !== 0;
  }

  /** The texts of all chunks that count. */
  get text(): string {
    return this.#prose.text;
  }

  /** Whether this event is a chunk, and was not taken back by a restart. */
  counts({ seq, type }: RunEvent): boolean {
    return type === "chunk" && !this.#lost.some(([after, before]) => seq > after && seq < before);
  }

  /** What to resume from. */
  get cursor(): string | undefined {
    return this.#cursor ?? (this.id && cursorOf(this.id, this.seq));
  }

  /** Set a run's id, and the place after a cursor of it. Throws `PARSE_ERROR` if the cursor is invalid, and `GONE` if it is another run's, as the server would. */
  identify(id: string, cursor: string = cursorOf(id, 0)): void {
    const place = readCursor(cursor);
    if (place?.runId !== id) throw failure(place ? "GONE" : "PARSE_ERROR", FOREIGN, { statusCode: place ? 410 : 400 });
    this.id = id;
    this.#move(place.seq, cursor);
  }

  /** Take a frame; its event is kept if it is new. */
  take(frame: Frame): void {
    if (frame.kind === "event" && (frame.runId ?? this.id) === this.id) this.#append(frame.event as RunEvent<Chunk, Result>, frame.cursor);
    if (frame.kind === "reset") this.#trimTo(frame.firstSeq);
    if (frame.kind === "opening") this.#open(frame);
  }

  /** Take a poll's answer, or without `events` the run's last snapshot. */
  takePoll(snapshot: Snapshot<Chunk, Result>): void {
    if (snapshot.firstSeq > this.seq + 1) this.#trimTo(snapshot.firstSeq);
    for (const event of snapshot.events ?? []) this.#append(event, snapshot.cursor);
    if (snapshot.seq === this.seq) this.questions = snapshot.questions ?? this.questions;
    this.takeStatus(snapshot.status);
    this.waiting = snapshot.waiting;
    const isAll = snapshot.events ? snapshot.retryAfterMs === null : TERMINAL.includes(snapshot.status);
    if (isAll && !this.outcome) this.#conclude(snapshot);
  }

  /** Take a status that came without events. */
  takeStatus(status: RunStatus): void {
    // A terminal status counts only together with the outcome, and an unknown one not at all.
    if (!this.outcome && LIVE.includes(status)) this.status = status;
  }

  /** Take the outcome from a snapshot; the log has no more events. */
  #conclude(snapshot: Snapshot<Chunk, Result>): void {
    this.status = snapshot.status;
    this.#move(snapshot.seq);
    const text = snapshot.text ?? this.text;
    this.#prose.cut(0);
    this.#prose.add(this.seq, text);
    this.progress = snapshot.progress ?? this.progress;
    this.#end(snapshot.error ? new ActionError(snapshot.error) : undefined, snapshot.result as Result);
  }

  #move(seq: number, cursor?: string): void {
    this.seq = seq;
    this.#cursor = cursor;
  }

  #append(event: RunEvent<Chunk, Result>, cursor?: string): void {
    const { seq, type, data } = event;
    if (this.outcome || !(seq > this.seq)) return;
    this.#move(seq, cursor);
    if (!isKnown(type)) return; // of a later version
    // The start of an attempt is not an event: its first event shows that it has started.
    this.status = AFTER[type];
    this.questions = questionsAfter<AnyAsks>(this.questions, event);
    if (type === "chunk") {
      if (this.#keepsText) this.#prose.add(seq, textOf(data));
      if (isProgress(data)) this.progress = data;
    } else if (type === "restarted") this.#restart(seq, data);
    else if (type === "done") this.#end(undefined, (data.result ?? null) as Result);
    else if (type === "error" || type === "cancelled") this.#end(new ActionError(data));
    this.replay.add(event);
  }

  #restart(seq: number, { attempt, keep = 0 }: Restarted): void {
    this.attempt = attempt;
    this.#lost.push([keep, seq]);
    this.#prose.cut(keep);
    this.progress = undefined;
    for (const event of this.replay) if (this.counts(event) && isProgress(event.data)) this.progress = event.data;
  }

  #end(error: ActionError | undefined, result?: Result): void {
    this.outcome = { error, result };
    this.questions = [];
  }

  /** Take the error with which a start was answered, if it is the run's own end. */
  refuse(error: ActionError): void {
    if (!error.runId || (this.id ?? error.runId) !== error.runId) return;
    this.id = error.runId;
    this.status = AFTER[error.code === "CANCELLED" ? "cancelled" : "error"];
  }

  #open({ id, cursor, status, firstSeq, waiting }: Opening): void {
    if (this.id === undefined) this.identify(id, cursor);
    if (this.id !== id) throw protocolError(FOREIGN);
    this.firstSeq = firstSeq ?? this.firstSeq;
    this.takeStatus(status);
    this.waiting = waiting;
  }

  #trimTo(firstSeq: number): void {
    this.firstSeq = firstSeq;
    if (firstSeq > this.seq + 1) this.#move(firstSeq - 1);
  }
}

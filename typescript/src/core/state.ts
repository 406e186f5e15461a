/** The state of a run for a page: events folded into one immutable object. */

import { ActionError } from "./error.js";
import { type ErrorObject, isProgress, type Progress, type RunEvent, textOf } from "./event.js";

/** The fields of every state. */
interface Seen<Chunk> {
  /** The chunks of the newest attempt, oldest first; at most `keep`. */
  readonly chunks: readonly Chunk[];
  /** How many older chunks are no longer in `chunks`: `dropped + index` is a stable key for a chunk. */
  readonly dropped: number;
  /** The newest chunk. */
  readonly data: Chunk | undefined;
  /** The texts of all chunks, dropped ones too. */
  readonly text: string;
  /** The newest progress chunk. */
  readonly progress: Progress | undefined;
  /** Known once the server has answered. */
  readonly runId: string | undefined;
  /** Why nothing arrives at the moment, for people: the connection was lost, and is being retried. */
  readonly trouble: string | undefined;
}

/** The statuses, with the fields of each. */
type Stage<Result, Code extends string> =
  | { readonly status: "idle" | "streaming" | "cancelled"; readonly result: undefined; readonly error: undefined }
  | { readonly status: "done"; readonly result: Result; readonly error: undefined }
  | { readonly status: "error"; readonly result: undefined; readonly error: ActionError<Code> };

/** The state of a run for a page. A state is immutable; `status` says which other fields are set. */
export type RunState<Chunk = unknown, Result = unknown, Code extends string = string> =
  & Seen<Chunk>
  & Stage<Result, Code>;

/** A run that is pending or running is `streaming`; a cancelled one keeps what it has sent. */
export type StreamStatus = RunState["status"];

const UNSET = { result: undefined, error: undefined } as const;
const NONE: readonly never[] = Object.freeze([]);

/** The state before anything was executed. */
export const IDLE: RunState<never, never, never> = blank("idle", undefined);

/** The state of a run about which nothing is known. */
export function blank<Status extends "idle" | "streaming" | "cancelled">(
  status: Status,
  runId: string | undefined,
): RunState<never, never, never> & { readonly status: Status } {
  const seen = { chunks: NONE, dropped: 0, data: undefined, text: "", progress: undefined, runId, trouble: undefined };
  return Object.freeze({ ...seen, ...UNSET, status });
}

/**
 * Takes a run's events and returns its state.
 *
 * Taking costs the same however many events came before; the kept chunks are copied once for each requested state.
 */
export class Tally<Chunk, Result, Code extends string> {
  readonly #keep: number;
  #runId: string | undefined;
  #trouble: string | undefined;
  #kept: Chunk[] = [];
  #count = 0;
  #data: Chunk | undefined;
  #text = "";
  #progress: Progress | undefined;
  #stage: Stage<Result, Code> = { ...UNSET, status: "streaming" };
  #chunks: readonly Chunk[] | undefined = NONE;
  #state: RunState<Chunk, Result, Code> | undefined;
  #error: ActionError<Code> | undefined;

  constructor(keep: number, runId?: string) {
    this.#keep = Math.max(0, keep);
    this.#runId = runId;
  }

  get runId(): string | undefined {
    return this.#runId;
  }

  /** Why there is no result, also if the run was cancelled. */
  get error(): ActionError<Code> | undefined {
    return this.#error;
  }

  /** Whether the run has ended. */
  get isOver(): boolean {
    return this.#stage.status !== "streaming";
  }

  /** The state; the same object until something is taken. */
  get state(): RunState<Chunk, Result, Code> {
    return (this.#state ??= this.#made());
  }

  identify(runId: string): void {
    this.#runId = runId;
    this.#state = undefined;
  }

  /** Set what is wrong with the connection, and return whether that has changed. */
  hear(trouble: string | undefined): boolean {
    if (trouble === this.#trouble) return false;
    this.#trouble = trouble;
    this.#state = undefined;
    return true;
  }

  take(event: RunEvent<Chunk, Result>): void {
    this.#state = undefined;
    if (event.type === "chunk") this.#append(event.data);
    else if (event.type === "restarted") this.#restart();
    // An action without a result ends with `{}`, and its result is null.
    else if (event.type === "done") this.complete((event.data.result ?? null) as Result);
    else this.fail(new ActionError<Code>(event.data satisfies ErrorObject));
  }

  complete(result: Result): void {
    this.#end({ status: "done", result, error: undefined });
  }

  /** Being cancelled is not an error of the run: the state has none. */
  fail(error: ActionError<Code>): void {
    this.#error = error;
    if (error.code === "CANCELLED") this.cancel();
    else this.#end({ status: "error", result: undefined, error });
  }

  cancel(): void {
    this.#end({ ...UNSET, status: "cancelled" });
  }

  #end(stage: Stage<Result, Code>): void {
    this.#stage = stage;
    this.#trouble = undefined;
    this.#state = undefined;
  }

  #append(chunk: Chunk): void {
    this.#count += 1;
    this.#data = chunk;
    this.#text += textOf(chunk);
    if (isProgress(chunk)) this.#progress = chunk;
    this.#kept.push(chunk);
    this.#chunks = undefined;
    // Cut at twice the size, so that a chunk costs at most two moves and not `keep`.
    if (this.#kept.length > 2 * this.#keep) this.#kept = this.#newest();
  }

  #newest(): Chunk[] {
    return this.#kept.slice(Math.max(0, this.#kept.length - this.#keep));
  }

  /** The chunks of a lost attempt do not count: the new one sends them again. */
  #restart(): void {
    this.#kept = [];
    this.#count = 0;
    this.#data = undefined;
    this.#text = "";
    this.#progress = undefined;
    this.#chunks = NONE;
  }

  #made(): RunState<Chunk, Result, Code> {
    const chunks = (this.#chunks ??= this.#newest());
    return Object.freeze({
      ...this.#stage,
      chunks,
      dropped: this.#count - chunks.length,
      data: this.#data,
      text: this.#text,
      progress: this.#progress,
      runId: this.#runId,
      trouble: this.#trouble,
    });
  }
}

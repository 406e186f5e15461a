/** The state of a run for a page: events folded into one immutable object. */

import type { ActionError } from "./error.js";
import { isProgress, type Progress, type RunEvent, textOf } from "./event.js";
import { Prose } from "./prose.js";
import { Replay } from "./replay.js";

/** The fields of every state. */
interface Seen<Chunk> {
  /** The newest chunks that count, oldest first; at most `keep`, or 1000 and 4 MiB if that is not set. */
  readonly chunks: readonly Chunk[];
  /** How many older chunks are no longer in `chunks`: `dropped + index` is a stable key for a chunk. */
  readonly dropped: number;
  /** The newest chunk. */
  readonly data: Chunk | undefined;
  /** The text of all chunks, dropped ones too; if it is longer, only the newest 2 to 4 million characters. */
  readonly text: string;
  /** The newest progress chunk. */
  readonly progress: Progress | undefined;
  /** Known once the server has answered. */
  readonly runId: string | undefined;
  /** Why nothing arrives at the moment, for people: the connection was lost, and is being retried. */
  readonly trouble: string | undefined;
}

/** The statuses, with the fields of each. */
type Stage<Result, Failure> =
  | { readonly status: "idle" | "streaming" | "cancelled"; readonly result: undefined; readonly error: undefined }
  | { readonly status: "done"; readonly result: Result; readonly error: undefined }
  | { readonly status: "error"; readonly result: undefined; readonly error: Failure };

/** The state of a run for a page. A state is immutable; `status` says which other fields are set. */
export type RunState<Chunk = unknown, Result = unknown, Failure = ActionError> =
  & Seen<Chunk>
  & Stage<Result, Failure>;

/** A run that is pending or running is `streaming`; a cancelled one keeps what it has sent. */
export type StreamStatus = RunState["status"];

/** The default maximum of shown chunks. */
const KEEP = 1000;
/** Text is dropped in pieces of this many characters, and at least as much is kept. */
const PAGE = 2 ** 21;

const NOTHING = {
  chunks: Object.freeze([]), dropped: 0, data: undefined, text: "", progress: undefined, trouble: undefined, result: undefined, error: undefined,
} as const;

/** The state of a run about which nothing is known, or of no run. */
export function blank<Status extends "idle" | "streaming" | "cancelled">(
  status: Status,
  runId: string | undefined,
): RunState<never, never, never> & { readonly status: Status } {
  return Object.freeze({ ...NOTHING, status, runId });
}

/** How a run ended. */
export type End<Result, Failure> =
  | { readonly status: "cancelled" }
  | { readonly status: "done"; readonly result: Result }
  | { readonly status: "error"; readonly error: Failure };

/** The fields of the next state. */
type Draft<Chunk, Result, Failure> = Omit<Seen<Chunk>, "chunks" | "dropped" | "text"> & {
  /** Undefined until the next state is requested. */
  chunks: readonly Chunk[] | undefined;
  /** How many chunks there were, kept ones too. */
  dropped: number;
  status: StreamStatus;
  result: Result | undefined;
  error: Failure | undefined;
};

/**
 * Takes a run's events and returns its state.
 *
 * Taking costs the same however many events came before; the kept chunks are copied once for each requested state.
 */
export class Tally<Chunk, Result, Failure> {
  readonly #keep: number | undefined;
  readonly #draft: Draft<Chunk, Result, Failure>;
  readonly #kept: Replay<{ readonly seq: number; readonly data: Chunk }>;
  /** The older part of the text, kept apart so that dropping it copies nothing. */
  #older = new Prose();
  #newer = new Prose();
  /** Where chunks follow each other without a gap in their seqs: the first seq, and how many chunks there were before. */
  readonly #spans: (readonly [seq: number, before: number])[] = [];
  #seq = -1;
  #state: RunState<Chunk, Result, Failure> | undefined;

  constructor(keep?: number, runId?: string) {
    this.#keep = keep;
    this.#draft = { ...blank("streaming", runId) };
    this.#kept = new Replay(keep, KEEP);
  }

  /** The state; the same object until something is taken. */
  get state(): RunState<Chunk, Result, Failure> {
    return (this.#state ??= this.#made());
  }

  /** Take the run's id and the trouble of its connection, and return whether one has changed. */
  hear({ id: runId = this.#draft.runId, trouble }: { readonly id: string | undefined; readonly trouble: string | undefined }): boolean {
    const isNew = runId !== this.#draft.runId || trouble !== this.#draft.trouble;
    if (isNew) this.#set({ runId, trouble });
    return isNew;
  }

  /** Take an event; a terminal one adds nothing, as the run's result says more. */
  take(event: RunEvent<Chunk, Result>): void {
    if (event.type === "chunk") this.#append(event);
    else if (event.type === "restarted") this.#cut(event.data.keep ?? 0);
  }

  /** Take the end of the run. */
  end(end: End<Result, Failure>): void {
    this.#set({ ...end, trouble: undefined });
  }

  #set(fields: Partial<Draft<Chunk, Result, Failure>>): void {
    Object.assign(this.#draft, fields);
    this.#state = undefined;
  }

  /** Begin another attempt, which continues after the event `keep`: chunks behind it do not count, as it sends them again. */
  #cut(keep: number): void {
    let { dropped } = this.#draft;
    while (this.#spans.length && this.#spans.at(-1)![0] > keep) dropped = this.#spans.pop()![1];
    const [seq, before] = this.#spans.at(-1) ?? [keep, -1];
    this.#kept.cut(keep);
    this.#older.cut(keep);
    this.#newer.cut(keep);
    const chunks = this.#listed();
    const progress = (chunks as readonly unknown[]).filter(isProgress).at(-1);
    this.#set({ chunks, dropped: Math.min(dropped, before + 1 + keep - seq), data: chunks.at(-1), progress });
  }

  #append(event: { readonly seq: number; readonly data: Chunk }): void {
    const { seq, data } = event;
    const { dropped } = this.#draft;
    if (seq - 1 !== this.#seq) this.#spans.push([seq, dropped]);
    this.#seq = seq;
    this.#newer.add(seq, textOf(data));
    if (this.#newer.text.length > PAGE && this.#keep !== Infinity) {
      this.#older = this.#newer;
      this.#newer = new Prose();
    }
    this.#kept.add(event);
    const progress = isProgress(data) ? data : this.#draft.progress;
    this.#set({ chunks: undefined, dropped: dropped + 1, data, progress });
  }

  #made(): RunState<Chunk, Result, Failure> {
    const chunks = (this.#draft.chunks ??= this.#listed());
    const seen = { chunks, dropped: this.#draft.dropped - chunks.length, text: this.#older.text + this.#newer.text };
    return Object.freeze({ ...this.#draft, ...seen }) as RunState<Chunk, Result, Failure>;
  }

  #listed(): Chunk[] {
    return [...this.#kept].map(({ data }) => data);
  }
}

/** The state of a run for a page: events folded into one immutable object. */

import type { ActionError } from "./error.js";
import { isProgress, type Progress, type RunEvent, textOf, type Waiting } from "./event.js";
import { Prose } from "./prose.js";
import { type AnyAsks, type Question, questionsAfter } from "./question.js";
import { Replay } from "./replay.js";

/** The fields of every state. */
interface Seen<Chunk, Asks> {
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
  /** The open questions, in the order of asking. */
  readonly questions: readonly Question<Asks>[];
  /** Known once the server has answered. */
  readonly runId: string | undefined;
  /** Why nothing arrives at the moment, for people: the connection was lost, and is being retried. */
  readonly trouble: string | undefined;
  /** Where the run waits; null or undefined if it does not. */
  readonly waiting: Waiting | null | undefined;
}

/** The statuses, with the fields of each. */
type Stage<Result, Failure> =
  | { readonly status: "idle" | "streaming" | "cancelled"; readonly result: undefined; readonly error: undefined }
  | { readonly status: "done"; readonly result: Result; readonly error: undefined }
  | { readonly status: "error"; readonly result: undefined; readonly error: Failure };

/** The state of a run for a page. A state is immutable; `status` says which other fields are set. */
export type RunState<Chunk = unknown, Result = unknown, Failure = ActionError, Asks = AnyAsks> =
  & Seen<Chunk, Asks>
  & Stage<Result, Failure>;

/** A run that is pending or running is `streaming`; a cancelled one keeps what it has sent. */
export type StreamStatus = RunState["status"];

/** The default maximum of shown chunks. */
const KEEP = 1000;
/** Text is dropped in pieces of this many characters, and at least as much is kept. */
const PAGE = 2 ** 21;

const NOTHING = {
  chunks: Object.freeze([]), dropped: 0, data: undefined, text: "", progress: undefined, questions: Object.freeze([]), trouble: undefined, waiting: undefined, result: undefined, error: undefined,
} as const;

/** The state of a run about which nothing is known, or of no run. */
export function blank<Status extends "idle" | "streaming" | "cancelled">(
  status: Status,
  runId: string | undefined,
): RunState<never, never, never, Record<never, never>> & { readonly status: Status } {
  return Object.freeze({ ...NOTHING, status, runId });
}

/** How a run ended. */
export type End<Result, Failure> =
  | { readonly status: "cancelled" }
  | { readonly status: "done"; readonly result: Result }
  | { readonly status: "error"; readonly error: Failure };

/** What a state has of a run other than its events. */
interface Heard {
  readonly id: string | undefined;
  readonly trouble: string | undefined;
  readonly waiting: Waiting | null | undefined;
}

/** The fields of the next state. */
type Draft<Chunk, Result, Failure, Asks> = Omit<Seen<Chunk, Asks>, "chunks" | "dropped" | "text"> & {
  /** Undefined until the next state is requested. */
  chunks: readonly Chunk[] | undefined;
  status: StreamStatus;
  result: Result | undefined;
  error: Failure | undefined;
};

/**
 * Takes a run's events and returns its state.
 *
 * Taking costs the same however many events came before; the kept chunks are copied once for each requested state.
 */
export class Tally<Chunk, Result, Failure, Asks = AnyAsks> {
  readonly #draft: Draft<Chunk, Result, Failure, Asks>;
  readonly #kept: Replay<{ readonly seq: number; readonly data: Chunk }>;
  readonly #prose: Prose;
  #state: RunState<Chunk, Result, Failure, Asks> | undefined;

  constructor(keep?: number, runId?: string) {
    this.#draft = { ...blank("streaming", runId) };
    this.#kept = new Replay(keep, KEEP);
    this.#prose = new Prose(keep === Infinity ? keep : PAGE);
  }

  /** The state; the same object until something is taken. */
  get state(): RunState<Chunk, Result, Failure, Asks> {
    return (this.#state ??= this.#made());
  }

  /** Take the run's id, the trouble of its connection and where it waits, and return whether one has changed. */
  hear({ id: runId = this.#draft.runId, trouble, waiting }: Heard): boolean {
    const isNew = runId !== this.#draft.runId || trouble !== this.#draft.trouble || waiting !== this.#draft.waiting;
    if (isNew) this.#set({ runId, trouble, waiting });
    return isNew;
  }

  /** Take an event; a terminal one changes nothing, as the run's result says more. */
  take(event: RunEvent<Chunk, Result, Asks>): void {
    if (event.type === "chunk") this.#append(event);
    else if (event.type === "restarted") this.#cut(event.data.keep ?? 0);
    else this.#set({ questions: questionsAfter(this.#draft.questions, event) });
  }

  /** Take the end of the run. */
  end(end: End<Result, Failure>): void {
    const { questions, trouble, waiting } = NOTHING;
    this.#set({ ...end, questions, trouble, waiting });
  }

  #set(fields: Partial<Draft<Chunk, Result, Failure, Asks>>): void {
    Object.assign(this.#draft, fields);
    this.#state = undefined;
  }

  /** Begin another attempt, which continues after the event `keep`: chunks behind it do not count, as it sends them again. */
  #cut(keep: number): void {
    this.#kept.cut(keep);
    this.#prose.cut(keep);
    const chunks = this.#listed();
    const progress = (chunks as readonly unknown[]).filter(isProgress).at(-1);
    this.#set({ chunks, data: chunks.at(-1), progress });
  }

  #append(event: { readonly seq: number; readonly data: Chunk }): void {
    const { seq, data } = event;
    this.#prose.add(seq, textOf(data));
    this.#kept.add(event);
    const progress = isProgress(data) ? data : this.#draft.progress;
    this.#set({ chunks: undefined, data, progress });
  }

  #made(): RunState<Chunk, Result, Failure, Asks> {
    const chunks = (this.#draft.chunks ??= this.#listed());
    const seen = { chunks, dropped: this.#kept.total - chunks.length, text: this.#prose.text };
    return Object.freeze({ ...this.#draft, ...seen }) as RunState<Chunk, Result, Failure, Asks>;
  }

  #listed(): Chunk[] {
    return [...this.#kept].map(({ data }) => data);
  }
}

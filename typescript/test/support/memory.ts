/** Runs that live in this process: a test says what happens to them. */

import { type Action, ActionError, type AnswerArguments, type AnyAsks, type ConnectionState, type ErrorOf, type Progress, type Question, type Run, type RunEvent, type RunStatus } from "../../src/index.js";

type Event<Chunk, Result> = RunEvent<Chunk, Result>;
/** An event without its seq. */
export type Said<Chunk, Result> = Event<Chunk, Result> extends infer Each
  ? Each extends { seq: number } ? Omit<Each, "seq"> : never
  : never;

/** A run whose events the test says, in the batches that it says them in. */
export class MemoryRun<Chunk, Result, Failure = ActionError> implements Run<Chunk, Result, Failure> {
  id: string | undefined;
  status: RunStatus | undefined;
  text = "";
  progress: Progress | undefined;
  questions: readonly Question[] = [];
  /** What was answered, and sent. */
  readonly told: unknown[][] = [];
  attempt = 1;
  firstSeq = 1;
  error: Failure | undefined;
  connection: ConnectionState = "connecting";
  trouble: string | undefined;
  waiting: Run["waiting"];
  stops = 0;
  readonly log: Event<Chunk, Result>[];
  readonly #listeners = new Set<(batch: readonly Event<Chunk, Result>[]) => void>();
  readonly #outcome = deferred<Result>();
  readonly #from: number;
  readonly #untold: Event<Chunk, Result>[] = [];
  #seq: number;

  constructor(log: Event<Chunk, Result>[] = [], id?: string, seq = 0) {
    this.log = log;
    this.id = id;
    this.#from = this.#seq = seq;
    this.#outcome.promise.catch(() => undefined);
  }

  get cursor(): string | undefined {
    return this.id === undefined ? undefined : `${this.id}.${this.#seq}`;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  get isDetached(): boolean {
    return this.connection === "closed";
  }

  open(id: string): void {
    this.id = id;
    this.connection = "open";
    this.#tell([]);
  }

  /** The connection is gone, and tried again. */
  lose(trouble: string): void {
    this.connection = "waiting";
    this.trouble = trouble;
    this.#tell([]);
  }

  heal(): void {
    this.connection = "open";
    this.trouble = undefined;
    this.#tell([]);
  }

  say(...batch: readonly Said<Chunk, Result>[]): void {
    this.sayLater(...batch);
    this.#tell(this.#untold.splice(0));
  }

  /** Come off the wire, but to no listener's ear yet. */
  sayLater(...batch: readonly Said<Chunk, Result>[]): void {
    const before = this.log.length;
    this.log.push(...batch.map((event, n) => ({ ...event, seq: before + n + 1 }) as Event<Chunk, Result>));
    this.#take(this.log.slice(before));
  }

  chunk(...chunks: readonly Chunk[]): void {
    this.say(...chunks.map((data) => ({ type: "chunk", data }) as Said<Chunk, Result>));
  }

  /** Everything comes off the wire that the log has. */
  catchUp(): void {
    this.#take(this.log.slice(this.#seq));
    this.#tell(this.#untold.splice(0));
  }

  /** What happens to a call that is refused, and to a run that cannot be followed on. */
  refuse(error: ActionError): void {
    this.error = error as Failure;
    this.connection = "closed";
    this.#outcome.reject(error);
    this.#tell([]);
  }

  subscribe(listener: (batch: readonly Event<Chunk, Result>[]) => void): () => void {
    this.#listeners.add(listener);
    const past = this.log.slice(this.#from, this.#seq);
    if (past.length > 0) listener(past);
    return () => this.#listeners.delete(listener);
  }

  async answer(...given: AnswerArguments): Promise<void> {
    this.told.push(given);
  }

  async send(...given: [message: unknown]): Promise<void> {
    this.told.push(given);
  }

  async stop(): Promise<void> {
    this.stops += 1;
  }

  detach(): void {
    this.connection = "closed";
    this.#tell([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.detach();
  }

  result(): Promise<Result> {
    return this.#outcome.promise;
  }

  async *events(): AsyncIterable<Event<Chunk, Result>> {
    yield* this.log;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk, undefined> {
    for (const event of this.log) if (event.type === "chunk") yield event.data;
    return undefined;
  }

  #take(events: readonly Event<Chunk, Result>[]): void {
    const last = events.at(-1);
    if (!last || this.isDetached) return;
    this.#seq = last.seq;
    this.#untold.push(...events);
    if (last.type === "done") this.#outcome.resolve((last.data.result ?? null) as Result);
    if (last.type === "error" || last.type === "cancelled") this.#outcome.reject(new ActionError(last.data));
    if (last.type === "done" || last.type === "error" || last.type === "cancelled") this.connection = "closed";
  }

  #tell(batch: readonly Event<Chunk, Result>[]): void {
    for (const listener of [...this.#listeners]) listener(batch);
  }
}

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  return { promise, resolve, reject };
}

/** An action of this process, with every run that was started or attached, the oldest first. */
export type MemoryAction<Input, Chunk, Result, Errors> = Action<Input, Chunk, Result, Errors, AnyAsks, unknown> & {
  readonly runs: MemoryRun<Chunk, Result, ErrorOf<Input, Errors>>[];
  readonly inputs: unknown[];
  /** What was asked for by `attach`, as `[id, cursor]`. */
  readonly attached: (readonly [string, string | undefined])[];
  readonly newest: MemoryRun<Chunk, Result, ErrorOf<Input, Errors>>;
};

/** An action whose runs do what the test says. */
export function memoryAction<Chunk = unknown, Result = unknown, Errors = never, Input = { n?: number }>() {
  const runs: MemoryRun<Chunk, Result, ErrorOf<Input, Errors>>[] = [];
  const inputs: unknown[] = [];
  const attached: (readonly [string, string | undefined])[] = [];
  const begin = (...call: readonly unknown[]): MemoryRun<Chunk, Result, ErrorOf<Input, Errors>> => {
    inputs.push(call[0]);
    runs.push(new MemoryRun<Chunk, Result, ErrorOf<Input, Errors>>());
    return runs.at(-1)!;
  };
  const attach = (id: string, cursor?: string): MemoryRun<Chunk, Result, ErrorOf<Input, Errors>> => {
    attached.push([id, cursor]);
    const seq = Number(cursor?.split(".")[1] ?? 0);
    const known = runs.find((run) => run.id === id);
    const run = new MemoryRun<Chunk, Result, ErrorOf<Input, Errors>>(known?.log, id, seq);
    run.connection = "open";
    runs.push(run);
    return run;
  };
  const made = Object.assign(begin, { start: async () => begin(), attach, action: "memory", runs, inputs, attached });
  return Object.defineProperty(made, "newest", { get: () => runs.at(-1) }) as unknown as MemoryAction<
    Input,
    Chunk,
    Result,
    Errors
  >;
}

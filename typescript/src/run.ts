/** A run as its caller sees it: state, iterations and listeners over the events from the follower. */

import { bodyOf, canBeRead } from "./body.js";
import type { ConnectionState, Run } from "./contract.js";
import { ActionError, failure } from "./core/error.js";
import type { RunEvent, Snapshot } from "./core/event.js";
import type { Frame } from "./core/frame.js";
import { RunLog } from "./core/log.js";
import type { Place } from "./core/replay.js";
import type { RunStatus } from "./core/status.js";
import { Deferred } from "./deferred.js";
import { type Followed, Follower, type Surroundings } from "./follower.js";
import { newKey, type Start } from "./start.js";
import { pathOf } from "./wire.js";

/** Where a run begins: with a call, or with an id. */
export interface Origin {
  readonly start?: Start;
  readonly id?: string;
  readonly cursor?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How many events are kept. */
  readonly keep?: number | undefined;
}

/** A run that is followed over the network. */
export class LiveRun<Chunk, Result, Failure> extends RunLog<Chunk, Result> implements Run<Chunk, Result, Failure>, Followed {
  error: Failure | undefined;
  readonly #around: Surroundings;
  readonly #follower: Follower;
  readonly #outcome: Deferred<Result> = new Deferred();
  /** Settled when the id is known or never will be. */
  readonly #known: Deferred<void> = new Deferred();
  readonly #over = new AbortController();
  readonly #start: Start | undefined;
  /** One for each iteration, listener and wait for the result; called when something has changed. */
  readonly #readers: Set<() => void> = new Set();
  #broken: { readonly reason: unknown } | undefined;

  constructor(around: Surroundings, { start, id, cursor, signal, keep }: Origin) {
    super(keep);
    this.#around = around;
    this.#start = start;
    this.#follower = new Follower(around, this, start);
    try {
      if (id !== undefined) this.identify(id, cursor);
    } catch (reason) {
      this.#follower.leave(reason); // an invalid cursor
    }
    const leave = (): unknown => this.#leave(signal?.reason);
    // Node warns of a leak if eleven listen to one signal.
    const own = signal && (AbortSignal.any?.([signal]) ?? signal);
    own?.addEventListener("abort", leave, { signal: this.#over.signal });
    if (signal?.aborted) leave();
  }

  get connection(): ConnectionState {
    return this.#follower.connection.state;
  }

  get trouble(): string | undefined {
    return this.#follower.connection.trouble;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Chunk, undefined> {
    return this.#read((event) => this.counts(event) && { value: event.data as Chunk }, () => this.error);
  }

  events(): AsyncIterableIterator<RunEvent<Chunk, Result>, undefined> {
    return this.#read((value) => ({ value }));
  }

  result(): Promise<Result> {
    const leave = this.#enter(() => undefined);
    this.#outcome.promise.then(leave, leave);
    return this.#outcome.promise;
  }

  async stop(): Promise<void> {
    const { id } = this;
    if (id === undefined) return this.withdraw("requested");
    const { status } = (await this.#around.wire.ask(`${pathOf(id)}/cancel`, "POST")) as Snapshot;
    if (this.connection === "idle") this.status = status;
    else this.takeStatus(status);
    this.changed();
  }

  async answer(question: string | { readonly id: string }, value: unknown): Promise<void> {
    await this.#post(`questions/${encodeURIComponent(typeof question === "string" ? question : question.id)}`, value);
  }

  async send(message: unknown): Promise<void> {
    await this.#post("inbox", message);
  }

  detach(): void {
    // React Native has no DOMException.
    this.#leave(Object.assign(new Error("The run is no longer followed."), { name: "AbortError" }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.detach();
  }

  subscribe(listener: (batch: readonly RunEvent<Chunk, Result>[]) => void): () => void {
    let place = this.replay.oldest;
    let isDue = false;
    // Each listener is called in its own turn, so that its error stops neither the reading nor the others.
    const tell = (): void => {
      if (isDue) return;
      isDue = true;
      queueMicrotask(() => {
        isDue = false;
        if (!this.#readers.has(tell)) return;
        const batch: RunEvent<Chunk, Result>[] = [];
        while (place.next) batch.push((place = place.next).event as RunEvent<Chunk, Result>);
        listener(batch);
      });
    };
    const leave = this.#enter(tell);
    if (place.next || this.hasEnded) tell();
    return leave;
  }

  /** Start the run, without following it; resolves when its id is known. */
  async begin(): Promise<this> {
    await this.#follower.go(false);
    if (this.#broken) throw this.#broken.reason;
    return this;
  }

  /** Follow the run, unless it is already followed. */
  follow(): this {
    void this.#follower.go(true);
    return this;
  }

  /** Stop following the run until there is a reader again. */
  rest(): void {
    this.#follower.rest();
  }

  // Called by the follower.

  get hasEnded(): boolean {
    return this.connection === "closed" || this.outcome !== undefined;
  }

  async withdraw(reason: string): Promise<void> {
    await this.#leave(failure("CANCELLED", "Cancelled before the server's answer", { statusCode: 409, data: { reason } }), reason === "requested");
  }

  override identify(id: string, cursor?: string): void {
    super.identify(id, cursor);
    this.#known.resolve();
  }

  learn(id: string, status?: RunStatus): void {
    if (this.id === undefined) this.identify(id);
    if (status) this.takeStatus(status);
  }

  takeAll(frames: readonly Frame[]): void {
    // An empty batch is a keepalive.
    if (!frames.length) return;
    for (const frame of frames) this.take(frame);
    this.#settle();
  }

  takeSnapshot(snapshot: Snapshot): boolean {
    const { seq } = this;
    this.takePoll(snapshot as Snapshot<Chunk, Result>);
    this.#settle();
    return this.seq > seq || this.outcome !== undefined;
  }

  close(reason: unknown): void {
    this.#broken = { reason };
    if (reason instanceof ActionError) {
      this.refuse(reason);
      this.error = reason as Failure;
    }
    this.#outcome.reject(reason);
    this.#known.reject(reason);
    this.#over.abort();
    this.changed();
  }

  changed(): void {
    for (const tell of this.#readers) tell();
  }

  /** Send a message to the run, under one key however often it takes; waits for the run's id. */
  async #post(path: string, value: unknown): Promise<void> {
    const body = bodyOf(value);
    await this.#known.promise;
    await canBeRead(body);
    await this.#around.wire.ask(`${pathOf(this.id as string)}/${path}`, "POST", { "Idempotency-Key": newKey() }, undefined, body);
  }

  /** Stop following. If the id is not known and the start can have reached the server, tell the server to cancel it. */
  #leave(reason: unknown, isStopped?: boolean): Promise<unknown> | undefined {
    if (this.hasEnded) return undefined; // as a start that was refused
    let told: Promise<unknown> | undefined;
    if (this.id === undefined) {
      this.status = "cancelled";
      told = this.#start?.withdraw(this.#around.wire, isStopped);
    }
    this.#follower.leave(reason);
    return told;
  }

  #settle(): void {
    const { outcome } = this;
    if (outcome) {
      this.#follower.connection.close();
      this.error = outcome.error as Failure | undefined;
      if (outcome.error) this.#outcome.reject(outcome.error);
      else this.#outcome.resolve(outcome.result as Result);
      this.#over.abort();
    }
    this.changed();
  }

  /** Read for one more reader. Call the returned function when the reader has gone: the last one closes the connection. */
  #enter(reader: () => void): () => void {
    this.#readers.add(reader);
    this.follow();
    return () => {
      this.#readers.delete(reader);
      // Not at once: a reader that leaves can come back at once, and the last events can still be on their way to others.
      queueMicrotask(() => this.#readers.size || this.rest());
    };
  }

  /** Iterate over selected events, from the first that is kept; `failure` is thrown at the end, if there is one. */
  #read<Item>(pick: (event: RunEvent<Chunk, Result>) => { value: Item } | false, failure?: () => unknown): AsyncIterableIterator<Item, undefined> {
    let at: Place<RunEvent<Chunk, Result>> = this.replay.oldest;
    let news = new Deferred<void>();
    const end = { done: true, value: undefined } as const;
    let isOver = false;
    let leave: (() => void) | undefined;
    const tell = (): void => {
      news.resolve();
      news = new Deferred();
    };
    const finish = (): void => {
      isOver = true;
      leave?.();
      tell();
    };
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: async () => {
        if (!isOver) leave ??= this.#enter(tell);
        while (!isOver) {
          if (at.next) {
            at = at.next;
            const picked = pick(at.event as RunEvent<Chunk, Result>);
            if (picked) return picked;
          } else if (this.hasEnded) {
            finish();
            const reason = this.#broken ? this.#broken.reason : failure?.();
            if (reason) throw reason;
          } else await news.promise;
        }
        return end;
      },
      // Settles at once, also while `next` waits, which then reports the end.
      return: async () => {
        finish();
        return end;
      },
    };
  }
}

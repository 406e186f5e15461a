/**
 * The loop that follows one run over as many connections as needed.
 *
 * Until the run's id is known it repeats the request that starts the run, always with the same key; from then on it resumes after the cursor.
 * Only a terminal event, or an answer that a retry cannot change, ends it: the end of a body is never the end of a run.
 * While a stream is silent from its start, polls are tried as well: their events show that the stream is buffered, and not that the run is slow.
 */

import type { TransportName } from "./contract.js";
import { Connection, Lost } from "./core/connection.js";
import { foreign } from "./core/error.js";
import { fieldsOf, type Snapshot } from "./core/event.js";
import type { Frame } from "./core/frame.js";
import type { Mode, Route } from "./core/route.js";
import type { RunStatus } from "./core/status.js";
import { type Environment, pause } from "./environment.js";
import type { Start } from "./start.js";
import type { Answer } from "./transports/carrier.js";
import { framesOf } from "./transports/sse.js";
import { cut, EVENT_STREAM, givenUp, jsonOf, pathOf, silence, type Wire } from "./wire.js";

/** Shared by the runs of one client. */
export interface Surroundings {
  readonly wire: Wire;
  readonly environment: Environment;
  readonly route: Route;
  /** Whether a connection can be held open, until the signal is aborted. */
  readonly takeStream: (signal: AbortSignal) => Promise<boolean>;
  /** How long without a byte until a connection is lost. */
  readonly idleMs: number;
  /** How long without a connection until a run is given up. */
  readonly giveUpMs: number;
  /** The same for a start, until something shows that there is a server. */
  readonly unmetMs: number;
  readonly openingMs: number;
  readonly transport: TransportName;
}

/** The part of a run that its follower uses. */
export interface Followed {
  readonly id: string | undefined;
  readonly cursor: string | undefined;
  readonly hasEnded: boolean;
  /** Cancel the run, whose id is not known, because nobody needs it. */
  withdraw(reason: "requested" | "unattended"): void;
  /** Set the id; a terminal status is not taken from here. */
  learn(id: string, status?: RunStatus): void;
  /** Take frames. */
  takeAll(frames: readonly Frame[]): void;
  /** Take a poll's answer; returns whether anything in it is new. */
  takeSnapshot(snapshot: Snapshot): boolean;
  /** Take the outcome from a snapshot. */
  takeOutcome(snapshot: Snapshot): void;
  /** Nothing more will come; the reason is given unless the run has ended by an event. */
  close(reason: unknown): void;
  /** The state of the connection has changed. */
  changed(): void;
}

/** How often to check whether a long upload has been answered. */
const UPLOAD_CHECK_MS = 1_000;

type Polling = typeof import("./transports/polling.js");

/** What polls; without it, as after a deploy that removed the file, runs are followed by streams only. */
const loadPolling = (): Promise<Polling | undefined> => import("./transports/polling.js").catch(() => undefined);

/** Follows one run while it has readers. */
export class Follower {
  readonly connection: Connection;
  readonly #around: Surroundings;
  readonly #run: Followed;
  readonly #start: Start | undefined;
  #link = new AbortController();
  #isGoing = false;
  /** Whether somebody reads. */
  #isWanted = false;
  /** Whether the start is repeated if its answer is lost. */
  #isMeant = false;
  #isRerouted = false;
  /** Whether the server set the wait. */
  #isAsked = false;

  constructor(around: Surroundings, run: Followed, start: Start | undefined) {
    this.connection = new Connection(around.idleMs, around.giveUpMs, start ? around.unmetMs : around.giveUpMs);
    this.#around = around;
    this.#run = run;
    this.#start = start;
  }

  /** Start the run if needed; follow it from then on if it is `isFollowed`. Resolves when there is nothing more to do. */
  async go(isFollowed: boolean): Promise<void> {
    this.#isWanted ||= isFollowed;
    this.#isMeant = true;
    if (this.#isGoing || this.#run.hasEnded) return;
    this.#isGoing = true;
    const stopWaking = this.#around.environment.onWake((isOnline) => {
      if (isOnline) this.#around.route.renew();
      // After a sleep a connection can be dead without notice: checking now saves waiting for the watchdog.
      if (!this.#isAsked && !this.#isUpload && this.connection.isStale(this.#nowMs)) this.#link.abort();
    });
    while (!this.#run.hasEnded && (this.#isWanted || this.#run.id === undefined)) await this.#turn();
    stopWaking();
    this.#isGoing = false;
    if (this.#run.hasEnded) return;
    this.connection.state = "idle";
    this.#run.changed();
  }

  /** Stop following; a run that has ended does not change. */
  leave(reason: unknown): void {
    if (this.#run.hasEnded) return;
    this.#close(reason);
    this.#link.abort();
  }

  /**
   * There are no readers: close the connection once the run's id is known. Calling `go` again continues after the cursor.
   * A start request in progress can still be answered, but is not repeated.
   */
  rest(): void {
    this.#isWanted = this.#isMeant = false;
    if (this.#run.id !== undefined) this.#cut();
    else if (this.connection.state === "waiting") this.#run.withdraw("unattended");
  }

  /** Close the connection on purpose: the resulting error is not a failure. */
  #cut(): void {
    this.#isRerouted = true;
    this.#link.abort();
  }

  get #nowMs(): number {
    return this.#around.environment.now();
  }

  /** An upload can take long: how much of it was sent is not known. */
  get #isUpload(): boolean {
    return this.#run.id === undefined && !this.#start?.isSmall;
  }

  /** One connection, and the wait after it. */
  async #turn(): Promise<void> {
    this.#link = new AbortController();
    this.#isRerouted = this.#isAsked = false;
    this.connection.begin(this.#nowMs);
    this.#run.changed();
    const stopWatching = this.#watch();
    let waitMs: number | undefined;
    try {
      waitMs = await Promise.race([this.#exchange(), cut(this.#link.signal)]);
      this.connection.answered();
    } catch (reason) {
      waitMs = this.#lost(reason);
    } finally {
      stopWatching();
      this.#link.abort();
    }
    if (!waitMs || this.#run.hasEnded) return;
    this.#link = new AbortController();
    this.#run.changed();
    await pause(this.#around.environment, waitMs, this.#link.signal, this.#isAsked);
  }

  async #exchange(): Promise<number> {
    const { signal } = this.#link;
    let mode: Mode = this.#around.transport === "polling" ? "paced" : "stream";
    // What it takes is released when the link's signal is aborted.
    if (this.#around.transport === "auto") mode = this.#around.route.choose(this.#nowMs, !(await this.#around.takeStream(signal)));
    if (signal.aborted) return 0; // another exchange has started
    return this.#run.id === undefined ? this.#begin(mode) : this.#resume(this.#run.id, mode);
  }

  /** How long to wait after a failed connection; undefined if it was the last. */
  #lost(reason: unknown): number | undefined {
    if (this.#run.hasEnded) return undefined;
    if (!(reason instanceof Lost)) return this.#close(reason);
    if (this.#isRerouted) return 0;
    if (this.#run.id === undefined && !this.#isMeant) return this.#run.withdraw("unattended") as undefined;
    if (reason.isMet) this.connection.met();
    this.#isAsked = reason.afterMs > 0;
    const waitMs = this.connection.lost(this.#nowMs, reason, this.#around.environment.chance());
    return waitMs ?? this.#close(givenUp(reason, this.#run.id));
  }

  #close(reason: unknown): undefined {
    this.connection.close();
    this.#run.close(reason);
  }

  /** Close a connection over which not even a keepalive arrives. */
  #watch(): () => void {
    const link = this.#link;
    let stop: (() => void) | undefined;
    const check = (): void => {
      // Evaluated each time: once the run is known, it is no longer an upload.
      const uploadMs = (this.#isUpload && this.#start?.uploadMs) || 0;
      const leftMs = this.connection.idleInMs(this.#nowMs);
      if (leftMs + uploadMs <= 0) link.abort(silence(this.#around.idleMs + uploadMs));
      else stop = this.#around.environment.after(leftMs > 0 ? leftMs : UPLOAD_CHECK_MS, check);
    };
    check();
    return () => stop?.();
  }

  async #begin(mode: Mode): Promise<number> {
    const start = this.#start as Start; // or the id would be known
    const streams = this.#isWanted && mode === "stream";
    const send = async (): Promise<Answer> => {
      // An upload cannot be sent again to learn an id that a proxy holds back, so it is answered at once.
      const answer = await start.send(this.#around, streams && start.isSmall, this.#link.signal);
      const id = answer.header("Run-Id");
      if (id) {
        this.connection.met();
        this.#run.learn(id);
      }
      return answer;
    };
    return streams ? this.#stream(send) : this.#identify(await send());
  }

  async #resume(id: string, mode: Mode): Promise<number> {
    const polling = mode === "stream" ? undefined : await loadPolling();
    if (polling) return this.#poll(polling, mode === "held");
    const headers = { Accept: EVENT_STREAM, "Last-Event-ID": this.#run.cursor ?? "" };
    const request = { path: `${pathOf(id)}/events`, headers, signal: this.#link.signal, transport: this.#around.transport };
    return this.#stream(() => this.#around.wire.send(request));
  }

  /** Read one stream, and poll as well while it is silent. */
  async #stream(send: () => Promise<Answer>): Promise<number> {
    const link = this.#link;
    const quiet = new AbortController();
    link.signal.addEventListener("abort", () => quiet.abort());
    if (this.#around.transport === "auto") void this.#help(quiet.signal);
    try {
      const answer = await send();
      if (answer.status === 204) return await this.#conclude();
      if (!answer.header("Content-Type")?.startsWith(EVENT_STREAM)) return await this.#identify(answer);
      for await (const frames of framesOf(answer)) {
        quiet.abort();
        if (link.signal.aborted) return 0;
        this.#heard();
        for (const frame of frames) if (frame.kind === "retry") this.connection.retry(frame.retryMs);
        this.#run.takeAll(frames);
        if (this.#run.hasEnded || !this.#isWanted) return 0;
      }
      throw new Lost();
    } finally {
      quiet.abort();
    }
  }

  /** Poll for the events that a silent stream could be holding back, until the stream starts. */
  async #help(quiet: AbortSignal): Promise<void> {
    const wait = (ms: number): Promise<void> => pause(this.#around.environment, ms, quiet);
    await wait(this.#around.openingMs);
    if (quiet.aborted) return;
    const polling = await loadPolling();
    const identify = async (): Promise<unknown> => {
      this.connection.worry();
      this.#run.changed();
      // The same call again, without waiting, returns the id of a run whose start was not answered yet.
      return this.#run.id === undefined && this.#start?.isSmall && this.#identify(await this.#start.send(this.#around, false, quiet));
    };
    if (!(await polling?.help(this.#run, (query) => this.#read(quiet, query), quiet, wait, identify, this.#around.idleMs))) return;
    this.#around.route.buffered(this.#nowMs);
    this.#cut();
  }

  async #poll({ poll }: Polling, isHeld: boolean): Promise<number> {
    const read = async (query: string): Promise<unknown> => {
      const snapshot = await this.#read(this.#link.signal, query);
      this.#heard();
      return snapshot;
    };
    try {
      return await poll(this.#run, isHeld, read, () => this.#nowMs);
    } catch (reason) {
      if (isHeld && reason instanceof Lost) this.#around.route.cutOff(this.#nowMs);
      throw reason;
    }
  }

  #read(signal: AbortSignal, query: string = ""): Promise<unknown> {
    return this.#around.wire.read({ path: pathOf(this.#run.id ?? "") + query, signal });
  }

  /** The log has no more events: the outcome is in the snapshot. */
  async #conclude(): Promise<number> {
    this.#run.takeOutcome((await this.#read(this.#link.signal)) as Snapshot);
    if (!this.#run.hasEnded) throw new Lost();
    return 0;
  }

  /** An answer without a stream names the run; its events are read from the log. */
  async #identify(answer: Answer): Promise<number> {
    const { runId, id = runId, status } = fieldsOf(await jsonOf(answer)) as { runId?: string; id?: string; status?: RunStatus };
    if (typeof id !== "string") throw new Lost(foreign(answer));
    this.#heard();
    this.#run.learn(id, status);
    return 0;
  }

  #heard(): void {
    if (this.#run.hasEnded) return; // the request could not be aborted
    const { state } = this.connection;
    this.connection.heard(this.#nowMs);
    if (state !== "open") this.#run.changed();
  }
}

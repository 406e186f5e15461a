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
import { onDemand } from "./ondemand.js";
import type { Start } from "./start.js";
import { takeStream } from "./streams.js";
import type { Answer } from "./transports/carrier.js";
import { framesOf } from "./transports/sse.js";
import { cut, EVENT_STREAM, givenUp, jsonOf, pathOf, silence, type Wire } from "./wire.js";

/** Shared by the runs of one client. */
export interface Surroundings {
  readonly wire: Wire;
  readonly environment: Environment;
  readonly route: Route;
  readonly maxStreams: number | undefined;
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
  /** Nothing more will come; the reason is given unless the run has ended by an event. */
  close(reason: unknown): void;
  /** The state of the connection has changed. */
  changed(): void;
}

/** A connection that has been silent for this long when a page wakes up is dropped: a keepalive is overdue. */
const STALE_MS = 20_000;
/** How long a stream can be silent until it is checked, and how long the check can take. */
const QUIET_MS = 4_000;
/** How often to check whether a long upload has been answered. */
const UPLOAD_CHECK_MS = 1_000;

type Polling = Pick<typeof import("./lazy.js"), "help" | "poll">;

/** What polls; without it, as after a deploy that removed the file, runs are followed by streams only. */
const loadPolling = (): Promise<Polling | undefined> => onDemand().catch(() => undefined);

/** Follows one run while it has readers. */
export class Follower {
  readonly connection: Connection;
  readonly #around: Surroundings;
  readonly #environment: Environment;
  readonly #run: Followed;
  readonly #start: Start | undefined;
  #link = new AbortController();
  #isGoing = false;
  /** Whether somebody reads. */
  #isWanted = false;
  /** Whether the start is repeated if its answer is lost. */
  #isMeant = false;
  #isRerouted = false;
  #mode: Mode = "stream";
  #transport: TransportName | undefined;
  /** Whether the server set the wait. */
  #isAsked = false;

  constructor(around: Surroundings, run: Followed, start: Start | undefined) {
    this.connection = new Connection(around.giveUpMs, start ? around.unmetMs : around.giveUpMs);
    this.#around = around;
    this.#environment = around.environment;
    this.#run = run;
    this.#start = start;
  }

  /** Start the run if needed; follow it from then on if it is `isFollowed`. Resolves when there is nothing more to do. */
  async go(isFollowed: boolean): Promise<void> {
    this.#isWanted ||= isFollowed;
    this.#isMeant = true;
    if (this.#isGoing || this.#run.hasEnded) return;
    this.#isGoing = true;
    const stopWaking = this.#environment.onWake((isOnline) => {
      if (isOnline) this.#around.route.renew();
      // After a sleep a connection can be dead without notice: checking now saves waiting for the watchdog.
      if (!this.#isAsked && !this.#isUpload && this.#silentMs > STALE_MS) this.#link.abort();
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
    return this.#environment.now();
  }

  get #silentMs(): number {
    return this.connection.silentMs(this.#nowMs);
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
    await pause(this.#environment, waitMs, this.#link.signal, this.#isAsked);
  }

  async #exchange(): Promise<number> {
    const { signal } = this.#link;
    const { transport, route, wire, maxStreams } = this.#around;
    // What it takes is released when the link's signal is aborted.
    this.#transport = transport === "auto" ? await takeStream(wire.base, maxStreams, signal) : transport;
    this.#mode = transport === "auto" ? route.choose(this.#nowMs, !this.#transport) : transport === "polling" ? "paced" : "stream";
    if (signal.aborted) return 0; // another exchange has started
    return this.#run.id === undefined ? this.#begin() : this.#resume();
  }

  /** How long to wait after a failed connection; undefined if it was the last. */
  #lost(reason: unknown): number | undefined {
    if (this.#run.hasEnded) return undefined;
    if (!(reason instanceof Lost)) return this.#close(reason);
    if (this.#isRerouted) return 0;
    if (this.#mode === "held") this.#around.route.cutOff(this.#nowMs);
    if (this.#run.id === undefined && !this.#isMeant) return this.#run.withdraw("unattended") as undefined;
    if (reason.isMet) this.connection.met();
    this.#isAsked = reason.afterMs > 0;
    const waitMs = this.connection.lost(this.#nowMs, reason, this.#environment.chance());
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
      const leftMs = this.#around.idleMs - this.#silentMs;
      if (leftMs + uploadMs <= 0) link.abort(silence(this.#around.idleMs + uploadMs));
      else stop = this.#environment.after(leftMs > 0 ? leftMs : UPLOAD_CHECK_MS, check);
    };
    check();
    return () => stop?.();
  }

  async #begin(): Promise<number> {
    const start = this.#start as Start; // or the id would be known
    const streams = this.#isWanted && this.#mode === "stream";
    const send = async (): Promise<Answer> => {
      // An upload cannot be sent again to learn an id that a proxy holds back, so it is answered at once.
      const answer = await start.send({ ...this.#around, transport: this.#transport }, streams && start.isSmall, this.#link.signal);
      const id = answer.header("Run-Id");
      if (id) {
        this.connection.met();
        this.#run.learn(id);
      }
      return answer;
    };
    return streams ? this.#stream(send) : this.#identify(await send());
  }

  async #resume(): Promise<number> {
    const { signal } = this.#link;
    const polling = this.#mode === "stream" ? undefined : await loadPolling();
    if (polling) return polling.poll(this.#run, this.#mode === "held", (query) => this.#read(signal, query), () => this.#heard(), () => this.#nowMs);
    const headers = { Accept: EVENT_STREAM, "Last-Event-ID": this.#run.cursor ?? "" };
    const request = { path: `${this.#path}/events`, headers, signal, transport: this.#transport };
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
      if (answer.status === 204) {
        // The log has no more events: the outcome is in the snapshot.
        if (this.#run.takeSnapshot(await this.#read(link.signal))) return 0;
        throw new Lost();
      }
      if (!answer.header("Content-Type")?.startsWith(EVENT_STREAM)) return await this.#identify(answer);
      for await (const frames of framesOf(answer, (ms) => this.connection.retry(ms))) {
        if (!quiet.signal.aborted) void this.#doubt(link);
        quiet.abort();
        if (link.signal.aborted) return 0;
        this.#heard();
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
    const wait = (ms: number): Promise<void> => pause(this.#environment, ms, quiet);
    await wait(this.#around.openingMs);
    const polling = quiet.aborted ? undefined : await loadPolling();
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

  /** Of the run, once its id is known. */
  get #path(): string {
    return pathOf(this.#run.id as string);
  }

  #read(signal: AbortSignal, query: string = ""): Promise<Snapshot> {
    return this.#around.wire.read({ path: this.#path + query, signal }) as Promise<Snapshot>;
  }

  /**
   * Check a stream that has become silent, less often the longer it stays so: a proxy can keep a connection open whose other end is dead.
   * The stream is dead if there is no answer, or if that has events which the stream does not bring.
   */
  async #doubt(link: AbortController): Promise<void> {
    const isQuiet = (): boolean => this.#silentMs >= quietMs && !link.signal.aborted;
    let quietMs = QUIET_MS;
    while (!link.signal.aborted) {
      await pause(this.#environment, quietMs - this.#silentMs, link.signal);
      if (!isQuiet()) continue; // woken early, or something has arrived
      try {
        const snapshot = await this.#around.wire.within(QUIET_MS, { path: `${this.#path}?after=${this.#run.cursor}` });
        if (isQuiet() && this.#run.takeSnapshot(snapshot as Snapshot)) this.#cut();
      } catch (reason) {
        if (isQuiet()) {
          this.connection.failed();
          link.abort(reason);
        }
      }
      quietMs *= 2;
    }
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

/**
 * The loop that follows one run over as many connections as needed.
 *
 * Until the run's id is known it repeats the request that starts the run, always with the same key; from then on it resumes after the cursor.
 * Only a terminal event, or an answer that a retry cannot change, ends it: the end of a body is never the end of a run.
 * While a stream is silent from its start, polls are tried as well: their events show that the stream is buffered, and not that the run is slow.
 */

import type { TransportName } from "./contract.js";
import { Connection, Lost } from "./core/connection.js";
import { foreign, protocolError } from "./core/error.js";
import { fieldsOf, type Snapshot } from "./core/event.js";
import type { Frame } from "./core/frame.js";
import type { Mode, Route } from "./core/route.js";
import type { RunStatus } from "./core/status.js";
import { type Environment, pause } from "./environment.js";
import type { Start } from "./start.js";
import type { Answer } from "./transports/carrier.js";
import { paceMs, poll } from "./transports/polling.js";
import { framesOf } from "./transports/sse.js";
import { cut, givenUp, jsonOf, pathOf, silence, type Wire } from "./wire.js";

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
  /** Set the id; a terminal status is not taken from here. */
  identify(id: string, status?: RunStatus): void;
  /** Take frames. */
  take(frames: readonly Frame[]): void;
  /** Take a poll's answer; returns whether anything in it is new. */
  takePoll(snapshot: Snapshot): boolean;
  /** Take the outcome from a snapshot. */
  conclude(snapshot: Snapshot): void;
  /** Nothing more will come; the reason is given unless the run has ended by an event. */
  close(reason: unknown): void;
  /** The state of the connection has changed. */
  changed(): void;
}

/** How often to check whether a long upload has been answered. */
const UPLOAD_CHECK_MS = 1_000;

/** Follows one run while it has readers. */
export class Follower {
  readonly connection: Connection;
  readonly #around: Surroundings;
  readonly #run: Followed;
  readonly #start: Start | undefined;
  #link = new AbortController();
  #isGoing = false;
  #isWanted = false;
  #isRerouted = false;
  /** Whether the server set the wait. */
  #isAsked = false;
  #left: { readonly reason: unknown } | undefined;

  constructor(around: Surroundings, run: Followed, start: Start | undefined) {
    this.connection = new Connection(around.idleMs, around.giveUpMs, start ? around.unmetMs : around.giveUpMs);
    this.#around = around;
    this.#run = run;
    this.#start = start;
  }

  /** Start the run if needed; follow it from then on if it is `isFollowed`. Resolves when there is nothing more to do. */
  async go(isFollowed: boolean): Promise<void> {
    this.#isWanted ||= isFollowed;
    if (!this.#isGoing && !this.#run.hasEnded) await this.#go();
  }

  /** Stop following; a run that has ended does not change. */
  leave(reason: unknown): void {
    if (this.#run.hasEnded) return;
    this.#left ??= { reason };
    if (this.#isGoing) this.#link.abort();
    else this.#close(reason);
  }

  /** There are no readers: close the connection once the run's id is known. Calling `go` again continues after the cursor. */
  rest(): void {
    this.#isWanted = false;
    if (this.#run.id !== undefined) this.#cut();
  }

  /** Close the connection on purpose: the resulting error is not a failure. */
  #cut(): void {
    this.#isRerouted = true;
    this.#link.abort();
  }

  get #nowMs(): number {
    return this.#around.environment.now();
  }

  async #go(): Promise<void> {
    this.#isGoing = true;
    const stopWaking = this.#around.environment.onWake((isOnline) => this.#wake(isOnline));
    while (!this.#run.hasEnded && (this.#isWanted || this.#run.id === undefined)) await this.#turn();
    stopWaking();
    this.#isGoing = false;
    if (this.#run.hasEnded) return;
    this.connection.rest();
    this.#run.changed();
  }

  #wake(isOnline: boolean): void {
    if (isOnline) this.#around.route.renew();
    // After a sleep a connection can be dead without notice: checking now saves waiting for the watchdog.
    if (!this.#isAsked && !this.#isUpload && this.connection.isStale(this.#nowMs)) this.#link.abort();
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
      if (this.#left) throw this.#left.reason;
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
    if (!this.#left) await pause(this.#around.environment, waitMs, this.#link.signal, this.#isAsked);
  }

  async #exchange(): Promise<number> {
    const { signal } = this.#link;
    const mode = await this.#mode();
    if (signal.aborted) return 0; // another exchange has started
    return this.#run.id === undefined ? this.#begin(mode) : this.#resume(this.#run.id, mode);
  }

  /** How long to wait after a failed connection; undefined if it was the last. */
  #lost(reason: unknown): number | undefined {
    if (this.#run.hasEnded) return undefined;
    if (this.#left || !(reason instanceof Lost)) return this.#close((this.#left ?? { reason }).reason);
    if (this.#isRerouted) return 0;
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

  /** The route that the network allows; aborting the link's signal releases what it takes. */
  async #mode(): Promise<Mode> {
    const { transport, route, takeStream } = this.#around;
    if (transport === "polling") return "paced";
    return transport === "auto" ? route.choose(this.#nowMs, !(await takeStream(this.#link.signal))) : "stream";
  }

  async #begin(mode: Mode): Promise<number> {
    const start = this.#start;
    if (!start) throw protocolError("There is no run to follow.");
    const streams = this.#isWanted && mode === "stream";
    const send = async (): Promise<Answer> => {
      // An upload cannot be sent again to learn an id that a proxy holds back, so it is answered at once.
      const answer = await start.send(this.#around.wire, streams && start.isSmall, this.#link.signal);
      const id = answer.header("Run-Id");
      if (id) {
        this.connection.met();
        this.#run.identify(id);
      }
      return answer;
    };
    return streams ? this.#stream(send) : this.#identify(await send());
  }

  async #resume(id: string, mode: Mode): Promise<number> {
    if (mode !== "stream") return this.#poll(id, mode === "held");
    const headers = { Accept: "text/event-stream", "Last-Event-ID": this.#run.cursor ?? "" };
    const { signal } = this.#link;
    const { wire, transport } = this.#around;
    return this.#stream(() => wire.send({ path: `${pathOf(id)}/events`, headers, signal, transport }));
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
      if (!answer.header("Content-Type")?.startsWith("text/event-stream")) return await this.#identify(answer);
      for await (const frames of framesOf(answer)) {
        quiet.abort();
        if (link.signal.aborted) return 0;
        this.#heard();
        this.#take(frames);
        if (this.#run.hasEnded || !this.#isWanted) return 0;
      }
      throw new Lost("The answer ended before the run did.");
    } finally {
      quiet.abort();
    }
  }

  #take(frames: readonly Frame[]): void {
    for (const frame of frames) if (frame.kind === "retry") this.connection.retry(frame.retryMs);
    this.#run.take(frames);
  }

  /** Poll for the events that a silent stream could be holding back, until the stream starts. */
  async #help(quiet: AbortSignal): Promise<void> {
    const { environment, openingMs, route, wire } = this.#around;
    for (let waitMs = openingMs; ; ) {
      await pause(environment, waitMs, quiet);
      if (quiet.aborted) return;
      this.connection.worry();
      this.#run.changed();
      try {
        // The same call again, without waiting, returns the id of a run whose start was not answered yet.
        if (this.#run.id === undefined && this.#start?.isSmall) await this.#identify(await this.#start.send(wire, false, quiet));
        const { id, cursor } = this.#run;
        if (!id || !cursor) continue;
        const snapshot = await poll(wire, id, { cursor, isHeld: false, signal: quiet });
        if (quiet.aborted) return;
        if (this.#run.takePoll(snapshot)) {
          route.buffered(this.#nowMs);
          return this.#cut();
        }
        waitMs = paceMs(snapshot);
      } catch {
        waitMs = Math.min(waitMs * 2, this.#around.idleMs); // the stream itself will report the error
      }
    }
  }

  async #poll(id: string, isHeld: boolean): Promise<number> {
    const { wire, route } = this.#around;
    const beganMs = this.#nowMs;
    try {
      const snapshot = await poll(wire, id, { cursor: this.#run.cursor ?? "", isHeld, signal: this.#link.signal });
      this.#heard();
      const isNew = this.#run.takePoll(snapshot);
      const wasHeld = isHeld && (isNew || this.#nowMs - beganMs > paceMs(snapshot));
      return wasHeld ? 0 : paceMs(snapshot);
    } catch (reason) {
      if (isHeld && reason instanceof Lost) route.cutOff(this.#nowMs);
      throw reason;
    }
  }

  /** The log has no more events: the outcome is in the snapshot. */
  async #conclude(): Promise<number> {
    const request = { path: pathOf(this.#run.id ?? ""), signal: this.#link.signal };
    this.#run.conclude((await this.#around.wire.read(request)) as Snapshot);
    if (!this.#run.hasEnded) throw new Lost("The server had nothing to send.");
    return 0;
  }

  /** An answer without a stream names the run; its events are read from the log. */
  async #identify(answer: Answer): Promise<number> {
    const { runId, id = runId, status } = fieldsOf(await jsonOf(answer)) as { runId?: string; id?: string; status?: RunStatus };
    if (typeof id !== "string") throw new Lost(foreign(answer));
    this.#heard();
    this.#run.identify(id, status);
    return 0;
  }

  #heard(): void {
    const { state } = this.connection;
    this.connection.heard(this.#nowMs);
    if (state !== "open") this.#run.changed();
  }
}

/**
 * Everything that a page needs to show a run, without a framework: a state, a notification of changes, and commands.
 *
 * Theory of operation. An observer follows one run at a time. Events go into its tally as they arrive, and from there to
 * the callbacks; the state is built, and the listeners are called, once per browser frame. It lives as long as its
 * listeners: when the last one is gone, it leaves the run, and no timer, request or reference remains.
 */

import type { Run, RunSource } from "./contract.js";
import { type ActionError, failure } from "./core/error.js";
import type { RunEvent } from "./core/event.js";
import type { Answer, AnyAsks, Question } from "./core/question.js";
import { blank, type End, type RunState, Tally } from "./core/state.js";
import { type Paint, paintWith } from "./paint.js";
import { kept, type Persist } from "./persistence.js";

/** Being cancelled is not an error of the run: the state has none. */
const CANCELLED = { status: "cancelled" } as const;
/** The codes by which a server says that this page can no longer see the run of a kept id. */
const LOST = /^(NOT_FOUND|GONE|FORBIDDEN|PARSE_ERROR)$/;

/** How a run is shown. Callbacks are looked up when they are called, so the newest are used. */
export interface FollowOptions<Chunk = unknown, Result = unknown, Failure = ActionError, Asks = AnyAsks> {
  /** The maximum length of `chunks`; default: 1000. `Infinity` keeps all. */
  readonly keep?: number | undefined;
  /** The minimum time between two changes of the state; a run's end does not wait for it. */
  readonly throttleMs?: number | undefined;
  /** Called once for each chunk, as it arrives, with its seq. */
  readonly onChunk?: ((chunk: Chunk, seq: number) => void) | undefined;
  /** Called when an attempt was lost and the action restarts: of what `onChunk` got before, only chunks up to the seq `keep` still count. */
  readonly onRestarted?: ((attempt: number, keep: number) => void) | undefined;
  /** Called when the action asks something. */
  readonly onQuestion?: ((question: Question<Asks>) => void) | undefined;
  /** Called when a question is answered, here or elsewhere, or has timed out. */
  readonly onAnswer?: ((answered: Answer<Asks[keyof Asks]>) => void) | undefined;
  readonly onDone?: ((result: Result) => void) | undefined;
  readonly onError?: ((error: Failure) => void) | undefined;
  /** Called when the run was cancelled, here or elsewhere; `error.data` has the reason. */
  readonly onCancelled?: ((error: Failure) => void) | undefined;
}

/** How an action is executed and shown. */
export interface StreamOptions<Chunk = unknown, Result = unknown, Failure = ActionError, Asks = AnyAsks>
  extends FollowOptions<Chunk, Result, Failure, Asks> {
  /** What happens to a run that is no longer shown: it continues (`detach`, the default), or is cancelled. */
  readonly onUnmount?: "detach" | "stop" | undefined;
  /**
   * What `execute` does while a run is in progress: cancel that run (`replace`, the default), wait for its end,
   * or start nothing.
   */
  readonly concurrent?: "replace" | "queue" | "ignore" | undefined;
  /** Keep the run's id under this key, so that a reload shows the run again, until `reset` or the next `execute`. */
  readonly persist?: Persist | undefined;
}

type Settle<Chunk, Result, Failure, Asks> = (state: RunState<Chunk, Result, Failure, Asks>) => void;

/** The followed run, and how to resolve the calls that executed it. */
interface Following<Chunk, Result, Failure, Asks, Message> {
  readonly run: Run<Chunk, Result, Failure, Asks, Message>;
  readonly settles: Settle<Chunk, Result, Failure, Asks>[];
  readonly isRecalled: boolean;
  /** After the events that were taken; the run itself can have more that it has not delivered yet. */
  cursor?: string | undefined;
  unsubscribe: () => void;
}

/** A run over the network, whose following can be paused. */
interface Restable extends Run {
  follow?(): void;
  rest?(): void;
}

/** An execute that waits for the previous run: told whether its turn has come or never will. */
type Waiting = (begins: boolean) => void;

/** Where to continue in a run's log; without a cursor, at its start. */
interface Place {
  readonly id: string;
  readonly cursor?: string | undefined;
}

/** Follows runs of one source, one at a time, and shows the newest. */
export class RunObserver<
  Chunk,
  Result,
  Failure,
  Asks = AnyAsks,
  Message = unknown,
  Source extends RunSource<Chunk, Result, Failure, Asks, Message> = RunSource<Chunk, Result, Failure, Asks, Message>,
> {
  /** The newest options; a binding sets them on every render. The first `persist` is used for good. */
  options: StreamOptions<Chunk, Result, Failure, Asks>;
  /** The state before anything has happened, also on a server. */
  readonly initial: RunState<Chunk, Result, Failure, Asks>;
  readonly #source: Source;
  readonly #persist: Persist | undefined;
  readonly #id: string | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #paint: Paint = paintWith(() => this.#show());
  readonly #queue: Waiting[] = [];
  #shown: RunState<Chunk, Result, Failure, Asks>;
  #tally: Tally<Chunk, Result, Failure, Asks> | undefined;
  #following: Following<Chunk, Result, Failure, Asks, Message> | undefined;
  /** Where to continue if somebody subscribes after all listeners have left. */
  #left: Place | undefined;
  #isLeaving = false;

  /** With an id, the observer shows that run; otherwise the executed one. */
  constructor(source: RunSource<Chunk, Result, Failure, Asks, Message> & Source, options: StreamOptions<Chunk, Result, Failure, Asks> = {}, id?: string) {
    this.#source = source;
    this.options = options;
    this.#persist = options.persist;
    this.#id = id;
    this.initial = blank(id ? "streaming" : "idle", id);
    this.#shown = this.initial;
  }

  /** The state last reported to the listeners; the same object until the next report. */
  readonly snapshot = (): RunState<Chunk, Result, Failure, Asks> => this.#shown;

  /** Call the listener when the state has changed. When the last listener is gone, the run is left. */
  readonly subscribe = (listener: () => void): (() => void) => {
    const entry = (): void => listener(); // the same function can subscribe twice
    this.#listeners.add(entry);
    if (this.#isLeaving) (this.#following?.run as Restable | undefined)?.follow?.();
    this.#isLeaving = false;
    return () => {
      this.#listeners.delete(entry);
      // React's StrictMode removes every listener and adds it back at once.
      queueMicrotask(() => this.#listeners.size || this.leave());
    };
  };

  /** Follow the run that was given, left, or kept over a reload, if there is one. */
  resume(): void {
    this.#show();
    if (this.#following || (this.#tally && this.#shown.status !== "streaming")) return;
    const left = this.#left;
    const id = left?.id ?? this.#id ?? kept(this.#persist, "getItem");
    if (!id) return;
    const run = this.#source.attach(id, left?.cursor, { keep: 0 });
    if (!left?.cursor) this.#tally = new Tally(this.options.keep, id);
    this.#follow(run, [], !left && !this.#id);
  }

  /**
   * Start a run and follow it. Resolves with its last state, however it ended, and never rejects because of the run's
   * end: check `status`. If the run is left before its end, the state is the one at that moment.
   */
  execute(start: (source: Source) => Run<Chunk, Result, Failure, Asks, Message>): Promise<RunState<Chunk, Result, Failure, Asks>> {
    const { concurrent = "replace" } = this.options;
    const following = this.#following;
    return new Promise((resolve, reject) => {
      if (following && concurrent === "ignore") return void following.settles.push(resolve);
      const begin = (): void => {
        try {
          const run = start(this.#source);
          kept(this.#persist, "removeItem");
          this.#tally = new Tally(this.options.keep);
          this.#follow(run, [resolve], false);
        } catch (error) {
          reject(error); // the call itself is wrong, and nothing was started
          this.#show();
          this.#next();
        }
      };
      if (following && concurrent === "queue") {
        return void this.#queue.push((begins) => (begins ? begin() : resolve(blank("cancelled", undefined))));
      }
      this.#abandon(true);
      begin();
    });
  }

  /** The followed run, to answer its questions and send it messages. Throws `RUN_ENDED` if there is none. */
  get run(): Run<Chunk, Result, Failure, Asks, Message> {
    if (!this.#following) throw failure("RUN_ENDED", "There is no run", { statusCode: 410 });
    return this.#following.run;
  }

  /** Cancel the run, and drop calls that wait. Rejects if the server could not be reached. */
  async stop(): Promise<void> {
    this.#empty();
    await this.#following?.run.stop();
  }

  /** Go back to `idle`. A run that has not ended is handled as `onUnmount` says. */
  reset(): void {
    this.#abandon(this.options.onUnmount === "stop");
    kept(this.#persist, "removeItem");
    this.#left = undefined;
    this.#tally = undefined;
    this.#show();
  }

  /**
   * Stop following, as when the last listener has gone. A run whose id is not known yet is left once it is: aborting the
   * request could start nothing, or a run that nobody finds again.
   */
  leave(): void {
    const following = this.#following;
    const stops = this.options.onUnmount === "stop";
    this.#empty();
    this.#paint.cancel();
    if (!following) return;
    const { run, cursor } = following;
    if (!run.id && !stops) {
      this.#isLeaving = run.connection !== "closed"; // if it is, its end is on the way
      return (run as Restable).rest?.();
    }
    this.#abandon(stops);
    if (!stops) this.#left = { id: run.id as string, cursor };
  }

  #follow(run: Run<Chunk, Result, Failure, Asks, Message>, settles: Settle<Chunk, Result, Failure, Asks>[], isRecalled: boolean): void {
    const following: Following<Chunk, Result, Failure, Asks, Message> = { run, settles, isRecalled, unsubscribe: () => undefined };
    this.#following = following;
    this.#left = undefined;
    this.#isLeaving = false;
    const unsubscribe = run.subscribe((batch) => this.#take(following, batch));
    if (this.#following === following) following.unsubscribe = unsubscribe;
    else unsubscribe(); // it had ended already
    this.#show();
  }

  #take(following: Following<Chunk, Result, Failure, Asks, Message>, batch: readonly RunEvent<Chunk, Result, Asks>[]): void {
    const tally = this.#tally;
    if (this.#following !== following || !tally) return;
    const { run } = following;
    if (run.id && !following.cursor) kept(this.#persist, "setItem", run.id);
    const isNews = tally.hear(run) || batch.length;
    if (this.#isLeaving && (run.id || run.connection !== "closed")) return this.leave();
    following.cursor = run.cursor;
    for (const event of batch) tally.take(event);
    if (isNews) this.#paint.request(this.options.throttleMs);
    for (const event of batch) {
      if (this.#following !== following) return; // a callback has executed or reset
      call(() => {
        if (event.type === "chunk") this.options.onChunk?.(event.data, event.seq);
        else if (event.type === "question") this.options.onQuestion?.(event.data);
        else if (event.type === "answer") this.options.onAnswer?.(event.data);
        else if (event.type === "restarted") this.options.onRestarted?.(event.data.attempt, event.data.keep ?? 0);
      });
    }
    if (run.connection === "closed") void this.#end(following, tally);
  }

  /** Nothing follows: the run has ended, was refused, or cannot be followed. Its result says which. */
  async #end(following: Following<Chunk, Result, Failure, Asks, Message>, tally: Tally<Chunk, Result, Failure, Asks>): Promise<void> {
    following.unsubscribe();
    const [end, error] = await following.run.result().then(
      (result): [end: End<Result, Failure>, error?: undefined] => [{ status: "done", result }],
      (error): [End<Result, Failure>, Failure] => [error.code === "CANCELLED" ? CANCELLED : { status: "error", error }, error],
    );
    if (this.#following !== following) return;
    tally.end(end);
    if (following.isRecalled && LOST.test((error as ActionError | undefined)?.code as string)) {
      // The run no longer exists for this page, so the state is as if there had been none.
      kept(this.#persist, "removeItem");
      this.#tally = undefined;
    }
    const state = this.#state;
    this.#release(following, state);
    this.#paint.cancel();
    this.#show();
    call(() => {
      if (state.status === "done") this.options.onDone?.(state.result);
      else if (state.status === "error") this.options.onError?.(state.error);
      else if (error && state.status === "cancelled") this.options.onCancelled?.(error);
    });
    this.#next();
  }

  #next(): void {
    if (!this.#following) this.#queue.shift()?.(true);
  }

  /** Drop the calls that wait. */
  #empty(): void {
    for (const turn of this.#queue.splice(0)) turn(false);
  }

  #abandon(stops: boolean): void {
    const following = this.#following;
    this.#empty();
    if (!following) return;
    const { run } = following;
    if (stops) {
      kept(this.#persist, "removeItem");
      this.#tally?.end(CANCELLED);
    }
    this.#release(following, this.#state);
    // A stop that fails has no caller to reject; without readers the run ends after its `linger`.
    if (stops) void run.stop().catch(() => undefined).then(() => run.detach());
    else run.detach();
  }

  #release(following: Following<Chunk, Result, Failure, Asks, Message>, state: RunState<Chunk, Result, Failure, Asks>): void {
    this.#following = undefined;
    following.unsubscribe();
    for (const settle of following.settles) settle(state);
  }

  get #state(): RunState<Chunk, Result, Failure, Asks> {
    return this.#tally?.state ?? this.initial;
  }

  #show(): void {
    const state = this.#state;
    if (state === this.#shown) return;
    this.#shown = state;
    for (const listener of [...this.#listeners]) call(listener);
  }
}

/** An error thrown by a callback is reported to the page, and stops nothing here. */
function call(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

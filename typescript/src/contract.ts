/// <reference lib="esnext.disposable" preserve="true" />
/** The types of a client: bindings and generated code build on them. */

import type { ConnectionState } from "./core/connection.js";
import type { ProtocolCode } from "./core/code.js";
import type { ActionError } from "./core/error.js";
import type { Progress, RunEvent, RunInfo, Snapshot, Value, Waiting } from "./core/event.js";
import type { AnyAsks, Question } from "./core/question.js";
import type { RunStatus } from "./core/status.js";

export type { ConnectionState };

/** One execution of an action, as seen by this page: an async iterable of its chunks. */
export interface Run<Chunk = unknown, Result = unknown, Failure = ActionError, Asks = AnyAsks, Message = unknown> extends AsyncIterable<Chunk> {
  /** Known once the server has answered. */
  readonly id: string | undefined;
  /** Known once the server has answered; never known if the call was refused. */
  readonly status: RunStatus | undefined;
  /** The texts of all chunks that count, however long; with `keep: 0` it is not collected. */
  readonly text: string;
  /** The newest progress chunk that counts. */
  readonly progress: Progress | undefined;
  /** Where the run waits in its queue or for its time; null or undefined if it does not. */
  readonly waiting: Waiting | null | undefined;
  /** The open questions that this Run has seen being asked, in that order; none once the run has ended. */
  readonly questions: readonly Question<Asks>[];
  /** Keep this to resume elsewhere: `runs.attach(run.id, run.cursor)`. Opaque. */
  readonly cursor: string | undefined;
  /** 1, or more if earlier attempts were lost and the action was restarted. */
  readonly attempt: number;
  /** The first event that the log still has: above 1 if older ones were trimmed. */
  readonly firstSeq: number;
  /** The error of the run, or why it could not be started or followed; undefined otherwise. */
  readonly error: Failure | undefined;
  readonly connection: ConnectionState;
  /** Why nothing arrives, for people, once that has lasted a second or the server has set a wait; otherwise undefined. */
  readonly trouble: string | undefined;

  /**
   * The chunks, from the first that this Run keeps, except those that a restart has taken back; any number of iterations can run at the same time.
   * Throws the run's ActionError at its end unless it completed. When the last reader leaves, the connection is closed.
   */
  [Symbol.asyncIterator](): AsyncIterator<Chunk, undefined>;
  /** Every event from the first that this Run keeps, including the terminal one. Throws only if the log cannot be read further. */
  events(): AsyncIterable<RunEvent<Chunk, Result, Asks>>;
  /** The action's result. Rejects with an ActionError if the run failed, was cancelled or was refused. */
  result(): Promise<Result>;
  /**
   * Cancel the run on the server. Its last event then says `cancelled`.
   * Before the id is known the run is cancelled at once, never starts later, and the server is told if the start can have reached it.
   */
  stop(): Promise<void>;
  /**
   * Answer a question, given as it is or by its id. Resolves when the server has accepted the answer; the first one counts.
   * Rejects with an ActionError: `VALIDATION_ERROR` with `fieldErrors`, `ALREADY_ANSWERED`, `RUN_ENDED`, `NOT_FOUND`, `FORBIDDEN` or `UNREACHABLE`.
   */
  answer(...given: AnswerArguments<Asks>): Promise<void>;
  /**
   * Send the action a message. Resolves when the server has accepted it; it arrives once, however often it had to be sent.
   * Rejects with an ActionError: `VALIDATION_ERROR` with `fieldErrors`, `INBOX_FULL`, `RUN_ENDED`, `NOT_FOUND`, `FORBIDDEN` or `UNREACHABLE`.
   */
  send(message: Message): Promise<void>;
  /** Stop following; the run continues, for at least its `linger`. One whose id is not known yet is cancelled. */
  detach(): void;
  /** Detach at the end of the block, for `await using run = …`. */
  [Symbol.asyncDispose](): Promise<void>;
  /**
   * Subscribe to all events: first those that this Run keeps, then each batch as it arrives.
   * An empty batch means that something else has changed, such as `connection`, `status` or `error`.
   * Returns the function that unsubscribes.
   */
  subscribe(listener: (batch: readonly RunEvent<Chunk, Result, Asks>[]) => void): () => void;
}

/** A question, or its id, and an answer of the type that the question asks for. */
export type AnswerArguments<Asks = AnyAsks> = {
  [Name in keyof Asks & string]: [question: string | (Question<Asks> & { readonly name: Name }), value: Asks[Name]];
}[keyof Asks & string];

/** What an action without `asks` asks for. */
export type NoAsks = Record<never, never>;

/**
 * How an answer travels. `auto` streams, over a WebSocket if there are too many streams for their connections, and polls if streams do not come through.
 * `websocket` is one connection for all runs of a page, and `sse` where none can be opened.
 */
export type TransportName = "auto" | "sse" | "websocket" | "xhr" | "polling";

/** The options of one call. */
export interface CallOptions {
  /** Stops following; does not cancel the run, unless its id is not known yet. */
  readonly signal?: AbortSignal | undefined;
  /** The same key, input and caller give the same run. Default: a new key for each call. */
  readonly idempotencyKey?: string | undefined;
  /** Let the run keep running without readers. `start` always does. */
  readonly detached?: boolean | undefined;
  /** A URL that is told about the run, if the server allows this caller to name it. */
  readonly webhook?: string | undefined;
  readonly transport?: TransportName | undefined;
  /** `GET` for a feed; otherwise detected. */
  readonly method?: "GET" | "POST" | undefined;
  /** How many events this run keeps for iterations that start late; with 0 it has no `text` either. Default: the client's `keep`. */
  readonly keep?: number | undefined;
  /** Called with how much of the input was sent, if the browser reports it. */
  readonly onUpload?: ((sentBytes: number, totalBytes: number) => void) | undefined;
}

/** A list of files in an input: an array, or the `files` of `<input type="file" multiple>`. */
export type Files = readonly Blob[] | PageFiles;

/** A `FileList`; outside a page there is no such type. */
interface PageFiles {
  readonly length: number;
  item(index: number): Blob | null;
}

/** A call's arguments: an input, which is optional if all its fields are, or a form with the same fields. */
export type CallArguments<Input> = Record<never, never> extends Input
  ? [input?: Input | FormData, options?: CallOptions]
  : [input: Input | FormData, options?: CallOptions];

/** Follows runs by their id: one action, or `client.runs`. */
export interface RunSource<Chunk = unknown, Result = unknown, Failure = ActionError, Asks = AnyAsks, Message = unknown> {
  /** Follow an existing run: from the start of its log, or after the cursor. */
  attach(id: string, cursor?: string, options?: AttachOptions): Run<Chunk, Result, Failure, Asks, Message>;
}

/** The options of an attach. */
export type AttachOptions = Pick<CallOptions, "signal" | "transport" | "keep">;

/** The part of an action that starts runs and follows them. */
export interface Callable<Input, Chunk, Result, Failure, Asks = AnyAsks, Message = unknown> extends RunSource<Chunk, Result, Failure, Asks, Message> {
  /** Start a run and follow it. */
  (...call: CallArguments<Input>): Run<Chunk, Result, Failure, Asks, Message>;
}

/**
 * A server action, as listed in a generated `Actions` interface.
 *
 * `Errors` are its own errors: codes, or objects that have the type of the error's `data` by code: `"BUSY" | { SOLD_OUT: { left: number } }`.
 * `Asks` are the types of the answers that it asks for, by their names: `{ Decision: Decision }`; `Message` is what it takes in its inbox.
 */
export interface Action<Input, Chunk, Result, Errors = never, Asks = NoAsks, Message = never>
  extends Callable<Input, Chunk, Result, ErrorOf<Input, Errors>, Asks, Message> {
  /**
   * Start a run that keeps running without readers. Resolves when the server has answered with the id.
   * It is not followed until somebody iterates, subscribes or awaits `result()`.
   */
  start(...call: CallArguments<Input>): Promise<Run<Chunk, Result, ErrorOf<Input, Errors>, Asks, Message>>;
  /** The name in the action's URL. */
  readonly action: string;
}

/** The errors of an action: its own, and those of the framework. `code` tells them apart, and `fieldErrors` has the paths of the input. */
export type ErrorOf<Input = unknown, Errors = string> = OwnError<FieldPath<Input>, Errors> | ActionError<ProtocolCode, FieldPath<Input>>;

type OwnError<Path extends string, Errors> = Errors extends string
  ? ActionError<Errors, Path>
  : { [Code in keyof Errors & string]: ActionError<Code, Path, Errors[Code]> }[keyof Errors & string];

/** The paths of an input's fields, as `fieldErrors` names them: `customer`, `customer.name`, `items.0.quantity`. */
export type FieldPath<Input> = PathIn<Input, []>;

/** Paths stop being checked below this depth, as a type can contain itself. */
type Depth = 5;

type PathIn<Value, Above extends readonly unknown[]> = Above["length"] extends Depth
  ? string
  : Value extends Blob
    ? never
    : Value extends readonly (infer Item)[]
      ? PathTo<`${number}`, Item, Above>
      : Value extends object ? { [Name in keyof Value & (string | number)]-?: PathTo<`${Name}`, Value[Name], Above> }[keyof Value & (string | number)] : never;

/** The members of a union have names of their own in paths. */
type PathTo<Name extends string, Value, Above extends readonly unknown[]> =
  | Name
  | `${Name}.${IsUnion<Exclude<Value, null | undefined | boolean>> extends true ? string : PathIn<Value, [...Above, 0]>}`;

type IsUnion<Type, Part = Type> = [Type] extends [never] ? false : Part extends unknown ? ([Type] extends [Part] ? false : true) : never;

/** Which runs to list. */
export interface RunQuery {
  readonly status?: RunStatus | undefined;
  readonly action?: string | undefined;
  readonly label?: string | undefined;
  /** The id of a run whose action has started them. */
  readonly parent?: string | undefined;
  /** Whether those that have not ended have their `progress`, `questions`, `waiting` and `cancelRequested`. */
  readonly details?: boolean | undefined;
  /** 1 to 200; default: 50. */
  readonly limit?: number | undefined;
  /** The `next` of the previous page. */
  readonly before?: string | undefined;
}

/** Which runs to watch. */
export type WatchQuery = Omit<RunQuery, "before">;

/** Runs, newest first; `next` is the following page's `before`, or null on the last page. */
export type RunPage = readonly RunInfo[] & { readonly next: string | null };

/** The caller's runs of all actions. */
export interface Runs extends RunSource {
  list(query?: RunQuery): Promise<RunPage>;
  /**
   * The caller's newest runs that match, newest first, and then each that is new or has changed, about once a second; one that no longer matches comes once more.
   * It goes over a WebSocket, over a stream of HTTP, or by polls, whatever comes through, and connects again when a connection is lost.
   * It ends when the loop is left or the signal is aborted. Throws an ActionError if it is refused, or if the server cannot be reached: at first, or for `giveUpMs`.
   */
  watch(query?: WatchQuery, options?: Pick<CallOptions, "signal">): AsyncGenerator<RunInfo, void>;
  get(id: string): Promise<Snapshot>;
  /** Ask a run to stop; returns its snapshot at that moment. */
  cancel(id: string): Promise<Snapshot>;
  /** Delete a run that has ended, with its log. */
  delete(id: string): Promise<void>;
}

/** The values of a streamable value, from the chunks of its run. */
export type StreamedValue<Chunk> = unknown extends Chunk
  ? unknown
  : [Extract<Chunk, Value>] extends [never] ? string : Extract<Chunk, Value>["value"];

/** An action without generated types. */
export type AnyAction = Action<Readonly<Record<string, unknown>>, unknown, unknown, string, AnyAsks, unknown>;

declare const names: Readonly<Record<string, true>>;

/**
 * Any actions, by name: for a client without generated types.
 * `noUncheckedIndexedAccess` makes every member possibly undefined, which no action is; only `any` stays callable.
 */
export type AnyActions = Readonly<Record<string, undefined extends typeof names.any ? any : AnyAction>>;

/** The actions of one server, and the caller's runs. */
export type Client<Actions = AnyActions> = { readonly [Name in keyof Actions]: Actions[Name] } & { readonly runs: Runs };

/** Headers, or a function that returns them; called before every request. */
export type HeadersSource = HeadersGiven | (() => HeadersGiven | Promise<HeadersGiven>);

/** What `Headers` accepts; not every environment has a name for it. */
type HeadersGiven = NonNullable<ConstructorParameters<typeof Headers>[0]>;

/**
 * Returns a token; `isRefused` says that the server refused the last one, so a cached token will not work.
 * A TypeError, which `fetch` throws if it reached no server, is temporary, and the token is requested again; any other error ends the run.
 */
export type TokenSource = (asked: { readonly isRefused: boolean }) => string | undefined | Promise<string | undefined>;

/** Where the server is and how to reach it. */
export interface ClientOptions {
  /** Where the actions are mounted, relative to the page or absolute: `/api/_actions`. */
  readonly url: string | URL;
  readonly headers?: HeadersSource | undefined;
  /** The bearer token, requested before every request, so that it can expire and be renewed. */
  readonly token?: string | TokenSource | undefined;
  readonly credentials?: "include" | "omit" | "same-origin" | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
  readonly transport?: TransportName | undefined;
  /** How long without a byte until a connection counts as lost; default: three of the server's keepalives. */
  readonly idleMs?: number | undefined;
  /** How long without a stream's first byte until polls are tried as well. */
  readonly openingMs?: number | undefined;
  /**
   * How long a run can be without its server before it fails with `UNREACHABLE`.
   * Default: forever, and 30 s for a start that has reached no server.
   */
  readonly giveUpMs?: number | undefined;
  /** How long each try of a short request (`stop` and `runs`) can take; default: 15 s. There are five tries. */
  readonly requestMs?: number | undefined;
  /**
   * How many streams to hold open at once, counted over all tabs if the page can use Web Locks;
   * 4 in a browser that speaks HTTP/1.1, which opens six connections to an origin.
   */
  readonly maxStreams?: number | undefined;
  /** How many events a run keeps for iterations that start late; default: 10,000, but at most 4 MiB. */
  readonly keep?: number | undefined;
}

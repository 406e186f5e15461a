/** What a client is made of, as types: everything that bindings and generated code build on. */

import type { ConnectionState } from "./core/connection.js";
import type { ActionError } from "./core/error.js";
import type { Progress, RunEvent, RunInfo, Snapshot } from "./core/event.js";
import type { RunStatus } from "./core/status.js";

export type { ConnectionState };

/** One execution of an action, as this page sees it: an async iterable of its chunks. */
export interface Run<Chunk = unknown, Result = unknown, Code extends string = string> extends AsyncIterable<Chunk> {
  /** Known once the server has answered. */
  readonly id: string | undefined;
  /** Known once the server has answered; never known of a call that was refused. */
  readonly status: RunStatus | undefined;
  /** The texts of all chunks of this attempt. */
  readonly text: string;
  /** The newest progress chunk of this attempt. */
  readonly progress: Progress | undefined;
  /** What to keep in order to go on elsewhere: `runs.attach(run.id, run.cursor)`. Opaque. */
  readonly cursor: string | undefined;
  /** 1, or more where earlier attempts were lost and the work began again. */
  readonly attempt: number;
  /** The first event that the log still has: above 1 where older ones were trimmed. */
  readonly firstSeq: number;
  /** What the run ended with, or why it could not be started or followed; undefined otherwise. */
  readonly error: ActionError<Code> | undefined;
  readonly connection: ConnectionState;
  /** Why the connection is `waiting`, for people; undefined otherwise. */
  readonly trouble: string | undefined;

  /**
   * The chunks, from the first that this Run has seen of the newest attempt; any number of iterations may run side by side.
   * Throws the run's ActionError at its end unless it completed. When the last reader leaves, the connection is closed.
   */
  [Symbol.asyncIterator](): AsyncIterator<Chunk, undefined>;
  /** Every event from the first that this Run keeps, the terminal one too. Throws only where the log cannot be read on. */
  events(): AsyncIterable<RunEvent<Chunk, Result>>;
  /** The value that the action ended with. Rejects with an ActionError if it failed, was cancelled or was refused. */
  result(): Promise<Result>;
  /** Cancel the run on the server. Its last event then says `cancelled`. */
  stop(): Promise<void>;
  /** Stop following; the run goes on, for its `linger` at least. */
  detach(): void;
  /**
   * Hear of everything: first the events that this Run keeps, then each batch as it comes off the wire.
   * An empty batch says that something else has changed, such as `connection`, `status` or `error`.
   * Returns the function that ends this.
   */
  subscribe(listener: (batch: readonly RunEvent<Chunk, Result>[]) => void): () => void;
}

/** How an answer travels. `auto` streams, and polls where streams do not come through. */
export type TransportName = "auto" | "sse" | "xhr" | "polling";

/** What may be said with one call. */
export interface CallOptions {
  /** Ends the following, not the run. */
  readonly signal?: AbortSignal;
  /** The same key, input and caller are the same run. Made anew for each call unless given. */
  readonly idempotencyKey?: string;
  /** Let the run go on without readers. `start` always does. */
  readonly detached?: boolean;
  readonly transport?: TransportName;
  /** `GET` for a feed; found out by itself otherwise. */
  readonly method?: "GET" | "POST";
  /** Hear how much of the input was sent, where the browser tells. */
  readonly onUpload?: (sentBytes: number, totalBytes: number) => void;
}

/** A call's arguments; the input may be left out where all its fields are optional. */
export type CallArguments<Input> = Record<never, never> extends Input
  ? [input?: Input, options?: CallOptions]
  : [input: Input, options?: CallOptions];

/** Where a run can be followed by its id: one action, or `client.runs`. */
export interface RunSource<Chunk = unknown, Result = unknown, Code extends string = string> {
  /** Follow a run that exists: from the start of its log, or after the cursor. */
  attach(id: string, cursor?: string, options?: AttachOptions): Run<Chunk, Result, Code>;
}

/** What may be said with an attach. */
export type AttachOptions = Pick<CallOptions, "signal" | "transport">;

/** A server action: what a generated `Actions` interface is made of. */
export interface Action<Input, Chunk, Result, Code extends string = never> extends RunSource<Chunk, Result, Code> {
  /** Start a run and follow it. */
  (...call: CallArguments<Input>): Run<Chunk, Result, Code>;
  /**
   * Start a run that goes on without readers. Resolves when the server has answered with the id.
   * It is not followed until somebody iterates, subscribes or awaits `result()`.
   */
  start(...call: CallArguments<Input>): Promise<Run<Chunk, Result, Code>>;
  /** The name in the action's address. */
  readonly action: string;
}

/** Which runs to list. */
export interface RunQuery {
  readonly status?: RunStatus;
  readonly action?: string;
  readonly label?: string;
  /** 1 to 200; 50 unless given. */
  readonly limit?: number;
  /** The `next` of the page before. */
  readonly before?: string;
}

/** Runs, newest first; `next` is the following page's `before`, or null on the last. */
export type RunPage = readonly RunInfo[] & { readonly next: string | null };

/** The caller's runs, whatever action they are of. */
export interface Runs extends RunSource {
  list(query?: RunQuery): Promise<RunPage>;
  get(id: string): Promise<Snapshot>;
  /** Ask a run to stop; the snapshot as it is then. */
  cancel(id: string): Promise<Snapshot>;
  /** Forget a run that has ended, with its log. */
  delete(id: string): Promise<void>;
}

/** Any actions, by name: what a client has where no types were generated. */
export type AnyActions = Readonly<Record<string, Action<Readonly<Record<string, unknown>>, unknown, unknown, string>>>;

/** The actions of one server, and the caller's runs. */
export type Client<Actions = AnyActions> = { readonly [Name in keyof Actions]: Actions[Name] } & { readonly runs: Runs };

/** Headers, or what makes them; asked before every request. */
export type HeadersSource = HeadersGiven | (() => HeadersGiven | Promise<HeadersGiven>);

/** As `Headers` takes them; not every surrounding has a name for it. */
type HeadersGiven = NonNullable<ConstructorParameters<typeof Headers>[0]>;

/**
 * Makes a token; `isRefused` says that the last one was, so that one out of a cache will not do.
 * A TypeError, by which `fetch` says that it reached no server, passes, and the token is asked for again; what else it throws ends the run.
 */
export type TokenSource = (asked: { readonly isRefused: boolean }) => string | undefined | Promise<string | undefined>;

/** Where the server is and how to speak to it. */
export interface ClientOptions {
  /** Where the actions are mounted, relative to the page or absolute: `/api/_actions`. */
  readonly url: string | URL;
  readonly headers?: HeadersSource;
  /** The bearer token, asked before every request, so that it may expire and be renewed. */
  readonly token?: string | TokenSource;
  readonly credentials?: "include" | "omit" | "same-origin";
  readonly fetch?: typeof globalThis.fetch;
  readonly transport?: TransportName;
  /** After so long without a byte a connection counts as lost; three of the server's keepalives. */
  readonly idleMs?: number;
  /** After so long without a stream's first byte polls are tried beside it. */
  readonly openingMs?: number;
  /**
   * How long a run may be without its server before it is given up with `UNREACHABLE`.
   * Unless given, for ever, and 30 s for a start that has reached no server.
   */
  readonly giveUpMs?: number;
  /** How long each try of a short request may take: `stop` and `runs`; 15 s unless given. There are five tries. */
  readonly requestMs?: number;
  /**
   * How many streams to hold open at once, in all tabs together where the page may use Web Locks;
   * 4 in a browser that speaks HTTP/1.1, which has six connections to an origin.
   */
  readonly maxStreams?: number;
  /** How many events a run keeps for iterations that begin late. */
  readonly keep?: number;
}

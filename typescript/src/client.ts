/** Actions as functions: whatever is asked of a client by name is an action of that name. */

import type { Action, AnyActions, AttachOptions, CallOptions, Client, ClientOptions, RunPage, RunQuery, Runs } from "./contract.js";
import { PATIENCE } from "./core/connection.js";
import { ActionError } from "./core/error.js";
import { fieldsOf, type RunInfo, type Snapshot } from "./core/event.js";
import { foldValue, isValueChange } from "./core/value.js";
import { Route } from "./core/route.js";
import { type Environment, PAGE } from "./environment.js";
import type { Surroundings } from "./follower.js";
import { LiveRun } from "./run.js";
import { Start } from "./start.js";
import { Streams } from "./streams.js";
import { Wire } from "./wire.js";

/** An iteration that begins late sees at most so many past events. */
const KEEP = 10_000;
/** The server holds a stream's head back for half a second at most; the rest is for the way. */
const OPENING_MS = 3_000;

/** Not actions: `await` and `JSON.stringify` ask every object for these. */
const NOT_ACTIONS: ReadonlySet<string> = new Set(["then", "toJSON"]);

/**
 * Make a client of the actions that are mounted at `url`.
 *
 * `Actions` is what `yieldwire types` writes; without it every name is an action that takes and gives anything.
 */
export function createClient<Actions extends object = AnyActions>(options: ClientOptions): Client<Actions> {
  return createClientIn<Actions>(PAGE, options);
}

/** Make a client in a page of one's own; for tests, which move its time. */
export function createClientIn<Actions extends object>(environment: Environment, options: ClientOptions): Client<Actions> {
  const server = new Server(environment, options);
  const members = new Map<string, unknown>([["runs", runsOf(server)]]);
  return new Proxy({} as Client<Actions>, {
    get(_, name) {
      if (typeof name === "symbol" || NOT_ACTIONS.has(name)) return undefined;
      const member = members.get(name) ?? actionOf(server, name);
      members.set(name, member); // the same each time, as hooks compare it
      return member;
    },
  });
}

/** The values of a streamable value, one for each change. */
export async function* readStreamableValue<T = unknown>(run: AsyncIterable<unknown>): AsyncGenerator<T, undefined> {
  let value: T | undefined;
  for await (const chunk of run) {
    if (!isValueChange(chunk)) continue;
    value = foldValue(value, chunk);
    yield value as T;
  }
}

class Server {
  readonly wire: Wire;
  readonly #around: Surroundings;
  readonly #keep: number;
  readonly #feeds: Set<string> = new Set();

  constructor(environment: Environment, options: ClientOptions) {
    const { idleMs = PATIENCE.idleMs, giveUpMs = PATIENCE.giveUpMs, openingMs = OPENING_MS, transport = "auto" } = options;
    this.wire = new Wire(options, environment);
    this.#keep = options.keep ?? KEEP;
    this.#around = {
      wire: this.wire,
      environment,
      route: new Route(),
      streams: new Streams(this.wire.base.origin, options.maxStreams),
      patience: { ...PATIENCE, idleMs, giveUpMs },
      openingMs,
      transport,
    };
  }

  call<Chunk, Result, Code extends string>(action: string, input: unknown, options: CallOptions): LiveRun<Chunk, Result, Code> {
    const start = new Start(action, input, options, this.#feeds);
    return new LiveRun(this.#surroundings(options), { start, signal: options.signal, keep: this.#keep });
  }

  attach<Chunk, Result, Code extends string>(id: string, cursor?: string, options: AttachOptions = {}): LiveRun<Chunk, Result, Code> {
    const run = new LiveRun<Chunk, Result, Code>(this.#surroundings(options), { id, cursor, signal: options.signal, keep: this.#keep });
    run.follow();
    return run;
  }

  #surroundings({ transport }: AttachOptions): Surroundings {
    return transport ? { ...this.#around, transport } : this.#around;
  }
}

function actionOf<Input, Chunk, Result, Code extends string>(server: Server, name: string): Action<Input, Chunk, Result, Code> {
  const call = (input?: Input, options: CallOptions = {}): LiveRun<Chunk, Result, Code> => {
    const run = server.call<Chunk, Result, Code>(name, input, options);
    run.follow();
    return run;
  };
  const start = (input?: Input, options: CallOptions = {}): Promise<LiveRun<Chunk, Result, Code>> =>
    server.call<Chunk, Result, Code>(name, input, { ...options, detached: true }).begin();
  const attach = (id: string, cursor?: string, options?: AttachOptions): LiveRun<Chunk, Result, Code> => server.attach(id, cursor, options);
  return Object.assign(call, { start, attach, action: name }) as Action<Input, Chunk, Result, Code>;
}

function runsOf(server: Server): Runs {
  const path = (id: string): string => `runs/${encodeURIComponent(id)}`;
  return {
    attach: (id, cursor, options) => server.attach(id, cursor, options),
    list: async (query) => pageOf(await server.wire.ask(`runs?${queryOf(query)}`)),
    get: async (id) => (await server.wire.ask(path(id))) as Snapshot,
    cancel: async (id) => (await server.wire.ask(`${path(id)}/cancel`, "POST")) as Snapshot,
    delete: async (id) => {
      await server.wire.ask(path(id), "DELETE");
    },
  };
}

function queryOf(query: RunQuery = {}): URLSearchParams {
  const entries = Object.entries(query).filter(([, value]) => value !== undefined);
  return new URLSearchParams(entries.map(([name, value]) => [name, String(value)]));
}

function pageOf(answer: unknown): RunPage {
  const { runs, next } = fieldsOf(answer);
  if (!Array.isArray(runs)) throw new ActionError({ code: "PROTOCOL_ERROR", message: "The answer is no list of runs." });
  return Object.assign(runs as RunInfo[], { next: typeof next === "string" ? next : null });
}

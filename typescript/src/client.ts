/** Actions as functions: whatever is asked of a client by name is an action of that name. */

import { queryOf } from "./body.js";
import type { Action, AnyActions, AttachOptions, CallOptions, Client, ClientOptions, Run, RunPage, Runs, TransportName } from "./contract.js";
import { protocolError } from "./core/error.js";
import { fieldsOf, type RunInfo, type Snapshot } from "./core/event.js";
import { valuesOf } from "./core/value.js";
import { Route } from "./core/route.js";
import { type Environment, PAGE } from "./environment.js";
import type { Surroundings } from "./follower.js";
import { LiveRun } from "./run.js";
import { Start } from "./start.js";
import { takeStream } from "./streams.js";
import { pathOf, Wire } from "./wire.js";

/** An iteration that begins late sees at most so many past events. */
const KEEP = 10_000;
/** Three of the server's keepalives, which come every 15 s. */
const IDLE_MS = 45_000;
/** The server holds a stream's head back for half a second at most; the rest is for the way. */
const OPENING_MS = 3_000;
/** A start that reaches no server fails while somebody still waits for it: the address, or what the server allows, may be wrong. */
const UNMET_MS = 30_000;

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
  const server = serverOf(environment, options);
  const members = new Map<string, unknown>([["runs", runsOf(server)]]);
  return new Proxy({} as Client<Actions>, {
    get(_, name) {
      // `await` and `JSON.stringify` ask every object for these two; no action is meant.
      if (typeof name === "symbol" || name === "then" || name === "toJSON") return undefined;
      const member = members.get(name) ?? actionOf(server, name);
      members.set(name, member); // the same each time, as hooks compare it
      return member;
    },
  });
}

/** The values of a streamable value, one for each change; where an attempt was lost, they begin anew. */
export async function* readStreamableValue<T = unknown>(run: Pick<Run, "events" | "error">): AsyncGenerator<T, undefined> {
  let value: T | undefined;
  for await (const { type, data } of run.events()) {
    if (type === "restarted") value = undefined;
    for (value of valuesOf(value, data)) yield value as T;
  }
  if (run.error) throw run.error;
}

/** What a client's actions call. */
interface Server {
  readonly wire: Wire;
  call<Chunk, Result, Code extends string>(action: string, input: unknown, options: CallOptions): LiveRun<Chunk, Result, Code>;
  attach<Chunk, Result, Code extends string>(id: string, cursor?: string, options?: AttachOptions): LiveRun<Chunk, Result, Code>;
}

function serverOf(environment: Environment, options: ClientOptions): Server {
  const { keep = KEEP, idleMs = IDLE_MS, giveUpMs = Infinity, openingMs = OPENING_MS, transport = "auto" } = options;
  const wire = new Wire(options, environment);
  const take = (signal: AbortSignal): Promise<boolean> => takeStream(wire.base.origin, options.maxStreams, signal);
  const shared = { wire, environment, route: new Route(), takeStream: take, idleMs, giveUpMs, unmetMs: options.giveUpMs ?? UNMET_MS, openingMs };
  const around = (own: TransportName = transport): Surroundings => ({ ...shared, transport: own });
  const feeds = new Set<string>();
  return {
    wire,
    call: (action, input, call) =>
      new LiveRun(around(call.transport), { start: new Start(action, input, { transport, ...call }, feeds), signal: call.signal, keep }),
    attach<Chunk, Result, Code extends string>(id: string, cursor?: string, { signal, transport: own }: AttachOptions = {}) {
      const run = new LiveRun<Chunk, Result, Code>(around(own), { id, cursor, signal, keep });
      run.follow();
      return run;
    },
  };
}

function actionOf<Input, Chunk, Result, Code extends string>(server: Server, name: string): Action<Input, Chunk, Result, Code> {
  const call = (input?: Input, options: CallOptions = {}): LiveRun<Chunk, Result, Code> => {
    const run = server.call<Chunk, Result, Code>(name, input, options);
    run.follow();
    return run;
  };
  const start = async (input?: Input, options: CallOptions = {}): Promise<LiveRun<Chunk, Result, Code>> =>
    server.call<Chunk, Result, Code>(name, input, { ...options, detached: true }).begin();
  return Object.assign(call, { start, attach: server.attach, action: name }) as Action<Input, Chunk, Result, Code>;
}

function runsOf(server: Server): Runs {
  return {
    attach: server.attach,
    list: async (query) => pageOf(await server.wire.ask(`runs?${queryOf(query)}`)),
    get: async (id) => (await server.wire.ask(pathOf(id))) as Snapshot,
    cancel: async (id) => (await server.wire.ask(`${pathOf(id)}/cancel`, "POST")) as Snapshot,
    delete: async (id) => void (await server.wire.ask(pathOf(id), "DELETE")),
  };
}

function pageOf(answer: unknown): RunPage {
  const { runs, next } = fieldsOf(answer);
  if (!Array.isArray(runs)) throw protocolError("The answer is no list of runs.");
  return Object.assign(runs as RunInfo[], { next: typeof next === "string" ? next : null });
}

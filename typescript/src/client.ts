/** Actions as functions: every other property of a client is the action of that name. */

import { queryOf } from "./body.js";
import type { Action, AnyActions, AttachOptions, CallOptions, Client, ClientOptions, Run, RunPage, Runs, StreamedValue, TransportName } from "./contract.js";
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

/** Three of the server's keepalives, which are sent every 15 s. */
const IDLE_MS = 45_000;
/** The server holds a stream's head back for at most half a second; the rest is for the network. */
const OPENING_MS = 3_000;
/** What `await`, `JSON.stringify`, test runners and frameworks read of every object; these are not actions. */
const PROBED = /^([$@_]|(then|toJSON|asymmetricMatch)$)/;
/** A start that reaches no server fails while somebody still waits for it: the URL, or the server's CORS settings, can be wrong. */
const UNMET_MS = 30_000;

/**
 * Create a client of the actions that are mounted at `url`.
 *
 * `Actions` is what `yieldwire types` writes; without it every name is an action with any input and output.
 */
export function createClient<Actions extends object = AnyActions>(options: ClientOptions): Client<Actions> {
  return createClientIn<Actions>(PAGE, options);
}

/** Create a client with a given environment; for tests, which control its time. */
export function createClientIn<Actions extends object>(environment: Environment, options: ClientOptions): Client<Actions> {
  const server = serverOf(environment, options);
  // Each action is kept, as hooks compare it. What every object has, such as `toString`, is not an action.
  const members: Record<string, unknown> = { runs: runsOf(server) };
  return new Proxy(members as Client<Actions>, {
    get: (_, name) => (typeof name === "symbol" || PROBED.test(name) ? undefined : (members[name] ??= actionOf(server, name))),
  });
}

/** The values of a streamable value, one per change; if an attempt was lost, they start over. */
export async function* readStreamableValue<T = never, Chunk = unknown>(
  run: Pick<Run<Chunk>, "events" | "error">,
): AsyncGenerator<[T] extends [never] ? StreamedValue<Chunk> : T, undefined> {
  let value: unknown;
  for await (const { type, data } of run.events()) {
    if (type === "restarted") value = undefined;
    for (value of valuesOf(value, data)) yield value as [T] extends [never] ? StreamedValue<Chunk> : T;
  }
  if (run.error) throw run.error;
}

/** Called by a client's actions. */
interface Server {
  readonly wire: Wire;
  call<Chunk, Result, Code extends string>(action: string, input: unknown, options: CallOptions): LiveRun<Chunk, Result, Code>;
  attach<Chunk, Result, Code extends string>(id: string, cursor?: string, options?: AttachOptions): LiveRun<Chunk, Result, Code>;
}

function serverOf(environment: Environment, options: ClientOptions): Server {
  const { keep, idleMs = IDLE_MS, giveUpMs = Infinity, openingMs = OPENING_MS, transport = "auto" } = options;
  const wire = new Wire(options, environment);
  const take = (signal: AbortSignal): Promise<boolean> => takeStream(wire.base, options.maxStreams, signal);
  const shared = { wire, environment, route: new Route(), takeStream: take, idleMs, giveUpMs, unmetMs: options.giveUpMs ?? UNMET_MS, openingMs };
  const around = (own: TransportName = transport): Surroundings => ({ ...shared, transport: own });
  const feeds = new Set<string>();
  return {
    wire,
    call: (action, input, call) =>
      new LiveRun(around(call.transport), { ...call, keep: call.keep ?? keep, start: new Start(action, input, { ...call, transport: call.transport ?? transport }, feeds) }),
    attach<Chunk, Result, Code extends string>(id: string, cursor?: string, options: AttachOptions = {}) {
      const run = new LiveRun<Chunk, Result, Code>(around(options.transport), { ...options, keep: options.keep ?? keep, id, cursor });
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

function runsOf({ attach, wire }: Server): Runs {
  const ask = (path: string, method?: string): Promise<unknown> => wire.ask(path, method);
  return {
    attach,
    list: (query) => ask(`runs?${queryOf(query)}`).then(pageOf),
    get: (id) => ask(pathOf(id)) as Promise<Snapshot>,
    cancel: (id) => ask(`${pathOf(id)}/cancel`, "POST") as Promise<Snapshot>,
    delete: (id) => ask(pathOf(id), "DELETE").then(() => undefined),
  };
}

function pageOf(answer: unknown): RunPage {
  const { runs, next } = fieldsOf(answer);
  if (!Array.isArray(runs)) throw protocolError("Not a list");
  return Object.assign(runs as RunInfo[], { next: typeof next === "string" ? next : null });
}

/** Actions as functions: every other property of a client is the action of that name. */

import { queryOf } from "./body.js";
import type { Action, AnyActions, AttachOptions, CallOptions, Client, ClientOptions, Run, RunPage, Runs, StreamedValue } from "./contract.js";
import { protocolError } from "./core/error.js";
import { fieldsOf, type RunInfo, type Snapshot } from "./core/event.js";
import { valuesOf } from "./core/value.js";
import { Route } from "./core/route.js";
import { type Environment, PAGE } from "./environment.js";
import { LiveRun, type Origin } from "./run.js";
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
  const { idleMs = IDLE_MS, giveUpMs = Infinity, openingMs = OPENING_MS } = options;
  const wire = new Wire(options, environment);
  const take = (signal: AbortSignal): Promise<boolean> => takeStream(wire.base, options.maxStreams, signal);
  const shared = { wire, environment, route: new Route(), takeStream: take, idleMs, giveUpMs, unmetMs: options.giveUpMs ?? UNMET_MS, openingMs };
  const feeds = new Set<string>();
  const open = <Chunk, Result, Code extends string>({ keep = options.keep, transport = options.transport ?? "auto", signal }: AttachOptions, origin: Origin): LiveRun<Chunk, Result, Code> =>
    new LiveRun({ ...shared, transport }, { keep, signal, ...origin });
  return {
    wire,
    call: (action, input, call) => open(call, { start: new Start(action, input, call, feeds) }),
    attach<Chunk, Result, Code extends string>(id: string, cursor?: string, options: AttachOptions = {}) {
      return open<Chunk, Result, Code>(options, { id, cursor }).follow();
    },
  };
}

function actionOf<Input, Chunk, Result, Code extends string>(server: Server, name: string): Action<Input, Chunk, Result, Code> {
  const call = (input?: Input, options: CallOptions = {}): LiveRun<Chunk, Result, Code> => {
    return server.call<Chunk, Result, Code>(name, input, options).follow();
  };
  const start = async (input?: Input, options: CallOptions = {}): Promise<LiveRun<Chunk, Result, Code>> =>
    server.call<Chunk, Result, Code>(name, input, { ...options, detached: true }).begin();
  return Object.assign(call, { start, attach: server.attach, action: name }) as Action<Input, Chunk, Result, Code>;
}

function runsOf({ attach, wire }: Server): Runs {
  return {
    attach,
    list: (query) => wire.ask(`runs?${queryOf(query)}`).then(pageOf),
    get: (id) => wire.ask(pathOf(id)) as Promise<Snapshot>,
    cancel: (id) => wire.ask(`${pathOf(id)}/cancel`, "POST") as Promise<Snapshot>,
    delete: (id) => wire.ask(pathOf(id), "DELETE").then(() => undefined),
  };
}

function pageOf(answer: unknown): RunPage {
  const { runs, next } = fieldsOf(answer);
  if (!Array.isArray(runs)) throw protocolError("Not a list");
  return Object.assign(runs as RunInfo[], { next: typeof next === "string" ? next : null });
}

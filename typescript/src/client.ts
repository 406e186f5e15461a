/** Actions as functions: every other property of a client is the action of that name. */

import { queryOf } from "./body.js";
import type { AnyActions, AttachOptions, CallOptions, Client, ClientOptions, Run, Runs, StreamedValue } from "./contract.js";
import type { ActionError } from "./core/error.js";
import type { RunInfo, Snapshot } from "./core/event.js";
import { valuesOf } from "./core/value.js";
import { Route } from "./core/route.js";
import { type Environment, PAGE } from "./environment.js";
import { LiveRun, type Origin } from "./run.js";
import { startOf } from "./start.js";
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
  const wire = new Wire(options, environment);
  const open = openerOf(wire, environment, options);
  const attach = (id: string, cursor?: string, given: AttachOptions = {}): AnyRun => open(given, { id, cursor }).follow();
  const feeds = new Set<string>();
  const actionOf = (action: string): unknown => {
    const call = (input: unknown, given: CallOptions): AnyRun => open(given, { start: startOf(action, input, given, feeds) });
    const start = async (input: unknown, given?: CallOptions): Promise<AnyRun> => call(input, { ...given, detached: true }).begin();
    return Object.assign((input: unknown, given: CallOptions = {}) => call(input, given).follow(), { start, attach, action });
  };
  // Each action is kept, as hooks compare it. What every object has, such as `toString`, is not an action.
  const members: Record<string, unknown> = { runs: { attach, ...verbsOf(wire) } };
  return new Proxy(members as Client<Actions>, {
    get: (_, name) => (typeof name === "symbol" || PROBED.test(name) ? undefined : (members[name] ??= actionOf(name))),
  });
}

/** The values of a streamable value, one per change; if an attempt was lost, they continue from its saved place, or start over. */
export async function* readStreamableValue<T = never, Chunk = unknown>(
  run: Pick<Run<Chunk>, "events" | "error">,
): AsyncGenerator<[T] extends [never] ? StreamedValue<Chunk> : T, undefined> {
  let value: unknown;
  for await (const event of run.events()) {
    if (event.type === "restarted") {
      value = await valueAt(run, event.data.keep);
      if (value !== undefined) yield value as never;
    } else for (value of valuesOf(value, event.data)) yield value as never;
  }
  if (run.error) throw run.error;
}

/** The value after the event at `seq`, as far as the run keeps the events before it. There is a later event. */
async function valueAt(run: Pick<Run, "events">, seq: number = 0): Promise<unknown> {
  let value: unknown;
  for await (const event of run.events()) {
    if (event.seq > seq) break;
    if (event.type === "restarted") value = await valueAt(run, event.data.keep);
    else for (value of valuesOf(value, event.data));
  }
  return value;
}

type AnyRun = LiveRun<unknown, unknown, ActionError>;

/** What creates a client's runs, each with its own options. */
function openerOf(wire: Wire, environment: Environment, options: ClientOptions): (given: AttachOptions, origin: Origin) => AnyRun {
  const { maxStreams, idleMs = IDLE_MS, giveUpMs = Infinity, openingMs = OPENING_MS } = options;
  const shared = { wire, environment, route: new Route(), maxStreams, idleMs, giveUpMs, unmetMs: options.giveUpMs ?? UNMET_MS, openingMs };
  return ({ keep = options.keep, transport = options.transport ?? "auto", signal }, origin) => new LiveRun({ ...shared, transport }, { keep, signal, ...origin });
}

/** The short requests for a caller's runs. */
function verbsOf(wire: Wire): Omit<Runs, "attach"> {
  return {
    list: async (query) => {
      const { runs, next } = (await wire.ask(`runs?${queryOf(query)}`)) as { readonly runs: RunInfo[]; readonly next: string | null };
      return Object.assign(runs, { next });
    },
    get: (id) => wire.ask(pathOf(id)) as Promise<Snapshot>,
    cancel: (id) => wire.ask(`${pathOf(id)}/cancel`, "POST") as Promise<Snapshot>,
    delete: (id) => wire.ask(pathOf(id), "DELETE").then(() => undefined),
  };
}

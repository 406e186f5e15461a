/** Actions as functions: every other property of a client is the action of that name. */

import { queryOf } from "./body.js";
import type { AnyActions, AttachOptions, CallOptions, Client, ClientOptions, Run, Runs, StreamedValue } from "./contract.js";
import type { ActionError } from "./core/error.js";
import type { RunEvent, RunInfo, Snapshot } from "./core/event.js";
import { valuesOf } from "./core/value.js";
import { Route } from "./core/route.js";
import { type Environment, PAGE } from "./environment.js";
import { onDemand } from "./ondemand.js";
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
  const { maxStreams, idleMs = IDLE_MS, giveUpMs = Infinity, openingMs = OPENING_MS, transport = "auto" } = options;
  const shared = { wire, environment, maxStreams, idleMs, giveUpMs, openingMs, transport, route: new Route(), unmetMs: options.giveUpMs ?? UNMET_MS };
  const open = ({ keep = options.keep, transport = shared.transport, signal }: AttachOptions, origin: Origin): AnyRun => new LiveRun({ ...shared, transport }, { keep, signal, ...origin });
  const attach = (id: string, cursor?: string, given: AttachOptions = {}): AnyRun => open(given, { id, cursor }).follow();
  const feeds = new Set<string>();
  const actionOf = (action: string): unknown => {
    const call = (input: unknown, given: CallOptions): AnyRun => open(given, { start: startOf(action, input, given, feeds) });
    const start = async (input: unknown, given?: CallOptions): Promise<AnyRun> => call(input, { ...given, detached: true }).begin();
    return Object.assign((input: unknown, given: CallOptions = {}) => call(input, given).follow(), { start, attach, action });
  };
  const runs: Runs = {
    attach,
    list: async (query) => {
      const page = (await wire.ask(`runs?${queryOf(query)}`)) as { readonly runs: RunInfo[]; readonly next: string | null };
      return Object.assign(page.runs, { next: page.next });
    },
    async *watch(...which) {
      yield* (await onDemand()).watch(shared, ...which);
    },
    get: (id) => wire.ask(pathOf(id)) as Promise<Snapshot>,
    cancel: (id) => wire.ask(`${pathOf(id)}/cancel`, "POST") as Promise<Snapshot>,
    delete: (id) => wire.ask(pathOf(id), "DELETE").then(() => undefined),
  };
  // Each action is kept, as hooks compare it. What every object has, such as `toString`, is not an action.
  const members: Record<string, unknown> = { runs };
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
      value = undefined;
      for (const { data } of await pastOf(run, event.seq)) for (value of valuesOf(value, data));
      if (value !== undefined) yield value as never;
    } else for (value of valuesOf(value, event.data)) yield value as never;
  }
  if (run.error) throw run.error;
}

/** The events that count after the restart at `seq`, of those before it that the run keeps. */
async function pastOf(run: Pick<Run, "events">, seq: number): Promise<RunEvent[]> {
  let past: RunEvent[] = [];
  for await (const event of run.events()) {
    if (event.seq < seq) past.push(event);
    if (event.type === "restarted") past = past.filter((each) => each.seq <= (event.data.keep ?? 0));
    if (event.seq >= seq) break;
  }
  return past;
}

type AnyRun = LiveRun<unknown, unknown, ActionError>;

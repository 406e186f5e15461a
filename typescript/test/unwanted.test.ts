/** Nothing that nobody wants is started: what is stopped, left, replaced or unmounted before its run is known. */

import { expect, test, vi } from "vitest";
import { createClientIn } from "../src/client.js";
import { PAGE } from "../src/environment.js";
import type { AnyActions, ClientOptions, Run } from "../src/index.js";
import { RunObserver, type StreamOptions } from "../src/observer.js";
import "../src/lazy.js"; // loaded before: the time of the page does not wait for it
import { VirtualPage } from "./support/page.js";

/** A server that keeps runs by their keys, behind a network that comes and goes. */
class Net {
  isOnline = true;
  /** Whether what is sent arrives, and its answer does not. */
  losesAnswers = false;
  /** Whether the network holds on to starts until it is told to let them go. */
  holdsStarts = false;
  requests = 0;
  started = 0;
  readonly held: (() => void)[] = [];
  /** What became of the start of each key. */
  readonly starts = new Map<string, "running" | "cancelled" | "refused">();

  readonly fetch = async (url: RequestInfo | URL, init: RequestInit = {}): Promise<Response> => {
    this.requests++;
    const path = String(url).replace("http://test/api/", "");
    if (!this.isOnline) throw new TypeError("Failed to fetch");
    if (this.holdsStarts && path === "count") await new Promise<void>((resolve) => this.held.push(resolve));
    const answer = this.#answer(path, init);
    if (this.losesAnswers) throw new TypeError("Failed to fetch");
    return answer;
  };

  #answer(path: string, { headers, signal }: RequestInit): Response {
    const key = new Headers(headers).get("Idempotency-Key") ?? "";
    const known = this.starts.get(key);
    if (path === "count/cancel") {
      this.starts.set(key, known === "running" ? "cancelled" : (known ?? "refused"));
      return Response.json({ runId: null, status: "cancelled" });
    }
    if (path.endsWith("/cancel")) {
      this.starts.set(path.split("/")[1] ?? "", "cancelled");
      return Response.json({ id: "r", status: "cancelled" });
    }
    const [, id = key, isStream] = path.split(/[/?]/);
    if (id !== key && isStream !== "events") return Response.json({ id, status: "running", firstSeq: 1, events: [], retryAfterMs: 5000 });
    if (known === "refused") return Response.json({ error: { code: "CANCELLED", message: "Cancelled.", statusCode: 409 } }, { status: 409 });
    if (id === key) {
      if (!known) this.started++;
      this.starts.set(key, known ?? "running");
    }
    const opening = `id: ${id}.0\nevent: run\ndata: {"id":"${id}","status":"running"}\n\n`;
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(opening));
        signal?.addEventListener("abort", () => controller.error(signal.reason));
      },
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream", "Run-Id": id } });
  }

  get running(): number {
    return [...this.starts.values()].filter((status) => status === "running").length;
  }
}

function connected(options: Partial<ClientOptions> = {}) {
  const net = new Net();
  const page = new VirtualPage();
  const client = createClientIn<AnyActions>(page, { url: "http://test/api", fetch: net.fetch, ...options });
  return { net, page, client, call: client["count"] as AnyActions[string] };
}

type Call = AnyActions[string];

const turns = async (count = 50): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/** Wait without letting the page's time pass. */
async function until(holds: () => unknown): Promise<void> {
  for (let turn = 0; turn < 10_000 && !holds(); turn++) await Promise.resolve();
  expect(holds()).toBeTruthy();
}

/** Ways to leave a call, each with what its result is then. */
const WAYS: readonly (readonly [string, (call: Call) => { run: Run; letGo: () => unknown }, object])[] = [
  ["stopped", (call) => ((run) => ({ run, letGo: () => run.stop() }))(call()), { code: "CANCELLED", data: { reason: "requested" } }],
  ["detached", (call) => ((run) => ({ run, letGo: () => run.detach() }))(call()), { name: "AbortError" }],
  [
    "aborted",
    (call) => {
      const leaving = new AbortController();
      return { run: call({}, { signal: leaving.signal }), letGo: () => leaving.abort() };
    },
    { name: "AbortError" },
  ],
  [
    "left by the last who listened",
    (call) => {
      const run = call();
      return { run, letGo: run.subscribe(() => undefined) };
    },
    { code: "CANCELLED", data: { reason: "unattended" } },
  ],
];

// A row of "What happens when" in the docs.
test.each(WAYS)("a call that is %s while there is no network is cancelled at once, and never started", async (_, begin, reason) => {
  const { net, page, call } = connected();
  net.isOnline = false;
  const { run, letGo } = begin(call);
  await until(() => run.connection === "waiting");

  void letGo();
  await Promise.resolve();

  expect([run.connection, run.status, run.id]).toEqual(["closed", "cancelled", undefined]);
  await expect(run.result()).rejects.toMatchObject(reason);
  await until(() => net.requests === 2); // its start, and the first word of its end
  await turns();
  const { requests } = net;
  net.isOnline = true;
  page.wake({ isOnline: true });
  await turns();
  expect([net.requests, [...net.starts], page.isForgotten]).toEqual([requests, [], true]);
});

// A row of "What happens when" in the docs.
test.each(WAYS)("a call that is %s when its answer was lost is cancelled on the server", async (_, begin) => {
  const { net, call } = connected();
  net.losesAnswers = true;
  const { run, letGo } = begin(call);
  await until(() => run.connection === "waiting");
  net.losesAnswers = false;

  await letGo();
  await turns();

  expect([...net.starts.values()]).toEqual(["cancelled"]);
});

test.each(WAYS.slice(0, 3))("a call that is %s while its start is under way is refused when that arrives", async (_, begin) => {
  const { net, call } = connected();
  net.holdsStarts = true;
  const { run, letGo } = begin(call);
  await until(() => net.held.length);

  await letGo();
  await turns();
  for (const go of net.held) go();
  await turns();

  expect([...net.starts.values()]).toEqual(["refused"]);
  expect([run.connection, run.status, run.id]).toEqual(["closed", "cancelled", undefined]);
});

// A row of "What happens when" in the docs.
test("a call whose last listener leaves while its start is under way has that answered, and continues without it", async () => {
  const { net, call } = connected();
  net.holdsStarts = true;
  const run = call();
  const leave = run.subscribe(() => undefined);
  await until(() => net.held.length);

  leave();
  await until(() => true);
  net.held[0]?.();
  await until(() => run.connection === "idle");

  expect([run.status, [...net.starts.values()], net.requests]).toEqual(["running", ["running"], 1]);
});

test("stop settles at once where there is no network, and tries no longer than any short request", async () => {
  const { net, page, call } = connected();
  net.isOnline = false;
  const run = call();
  await until(() => run.connection === "waiting");
  const beganMs = page.now();

  await run.stop();

  expect(page.now()).toBe(beganMs);
  await turns();
  expect([net.requests, page.now() - beganMs]).toEqual([1 + 5, 500 + 1000 + 2000 + 4000]);
});

test("stop settles in the time of one try where nothing answers it", async () => {
  const page = new VirtualPage();
  const fetch = (_: unknown, { signal }: RequestInit = {}) => new Promise<Response>((_, reject) => signal?.addEventListener("abort", reject));
  const client = createClientIn<AnyActions>(page, { url: "http://test/api", fetch, requestMs: 2_000 });
  const run = client["count"]!();
  await turns(1);
  const beganMs = page.now();

  await run.stop();

  expect(page.now() - beganMs).toBe(2_000);
});

test("stop rejects where the server does not let this caller stop it", async () => {
  const refused = { error: { code: "UNAUTHORIZED", message: "Sign in first.", statusCode: 401 } };
  const fetch = async (url: unknown) => {
    if (String(url).endsWith("/cancel")) return Response.json(refused, { status: 401 });
    throw new TypeError("Failed to fetch");
  };
  const run = createClientIn<AnyActions>(new VirtualPage(), { url: "http://test/api", fetch })["count"]!();
  await until(() => run.connection === "waiting");

  await expect(run.stop()).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  expect(run.status).toBe("cancelled");
});

test("of a call that was never sent nobody is told", async () => {
  const { net, call } = connected({ token: () => new Promise<string>(() => undefined) });
  const run = call();
  await until(() => run.connection === "connecting");

  await run.stop();
  await run.stop();
  await turns();

  expect([net.requests, run.status]).toEqual([0, "cancelled"]);
});

test("a token that comes after the stop sends nothing", async () => {
  let give: ((token: string) => void) | undefined;
  const { net, call } = connected({ token: () => new Promise<string>((resolve) => (give = resolve)) });
  const run = call();
  await until(() => give);
  await run.stop();

  give?.("late");
  await turns();

  expect(net.requests).toBe(0);
});

test("start that is aborted rejects, and starts nothing later", async () => {
  const { net, page, call } = connected();
  net.isOnline = false;
  const leaving = new AbortController();
  const started = call.start({}, { signal: leaving.signal });
  await until(() => net.requests === 1);

  leaving.abort();

  await expect(started).rejects.toMatchObject({ name: "AbortError" });
  net.isOnline = true;
  page.wake({ isOnline: true });
  await turns();
  expect(net.started).toBe(0);
});

test("what a caller's own key names can be found again, so leaving it cancels nothing, and stop does", async () => {
  const { net, call } = connected();
  for (const [idempotencyKey, letGo] of [["left", "detach"], ["stopped", "stop"]] as const) {
    net.losesAnswers = true;
    const run = call({}, { idempotencyKey });
    await until(() => run.connection === "waiting");
    net.losesAnswers = false;
    await run[letGo]();
    await turns();
  }

  expect([...net.starts]).toEqual([["left", "running"], ["stopped", "cancelled"]]);
});

test("an answer that comes in spite of all changes nothing of a call that was stopped", async () => {
  const { net, call } = connected();
  net.holdsStarts = true;
  const run = call();
  await until(() => net.held.length);
  await run.stop();
  net.starts.clear(); // as a server does that knows nothing of it any more

  net.held[0]?.();
  await turns();

  expect([run.connection, run.status]).toEqual(["closed", "cancelled"]);
});

function observed(options: StreamOptions = {}) {
  const made = connected();
  const observer = new RunObserver(made.call, options);
  const leave = observer.subscribe(() => undefined);
  return { ...made, observer, leave, execute: () => observer.execute((action) => action()) };
}

// A row of "What happens when" in the docs.
test("of executes that replace each other while there is no network one is started", async () => {
  const { net, page, observer, execute } = observed();
  net.isOnline = false;
  const executed = [];
  for (let n = 0; n < 5; n++) {
    executed.push(execute());
    await until(() => net.requests >= n + 1);
    await turns(1);
  }

  const states = await Promise.all(executed.slice(0, 4));
  net.isOnline = true;
  page.wake({ isOnline: true });
  await vi.waitFor(() => expect(net.running).toBe(1));
  await turns();

  expect(states.map(({ status }) => status)).toEqual(Array(4).fill("cancelled"));
  expect([net.started, net.running, observer.snapshot().status]).toEqual([1, 1, "streaming"]);
  observer.reset();
});

// A row of "What happens when" in the docs.
test("an execute that is stopped while there is no network settles, and is never started", async () => {
  const { net, page, observer, execute } = observed();
  net.isOnline = false;
  const executed = execute();
  await until(() => net.requests === 1);

  await observer.stop();

  expect(await executed).toMatchObject({ status: "cancelled" });
  net.isOnline = true;
  page.wake({ isOnline: true });
  await vi.waitFor(() => expect(observer.snapshot().status).toBe("cancelled"));
  await turns();
  expect(net.started).toBe(0);
});

// A row of "What happens when" in the docs.
test.each(["detach", "stop"] as const)("an execute that is unmounted while there is no network settles, and is never started (%s)", async (onUnmount) => {
  const { net, page, leave, execute } = observed({ onUnmount });
  net.isOnline = false;
  const executed = execute();
  await until(() => net.requests === 1);

  leave();

  expect(await executed).toMatchObject({ status: "cancelled" });
  net.isOnline = true;
  page.wake({ isOnline: true });
  await turns();
  expect([net.started, page.isForgotten]).toEqual([0, true]);
});

// A row of "What happens when" in the docs.
test("an execute that is unmounted while its start is under way continues, and is kept; one whose answer is lost is cancelled", async () => {
  for (const losesAnswers of [false, true]) {
    const storage = new Map<string, string>();
    const kept = { getItem: (key: string) => storage.get(key) ?? null, setItem: (key: string, id: string) => void storage.set(key, id), removeItem: (key: string) => void storage.delete(key) };
    const { net, leave, execute } = observed({ persist: { key: "k", storage: kept } });
    net.holdsStarts = true;
    const executed = execute();
    await until(() => net.held.length);

    leave();
    await turns(1);
    net.losesAnswers = losesAnswers;
    net.held[0]?.();
    await turns(1);
    net.losesAnswers = false;

    expect((await executed).status).toBe(losesAnswers ? "cancelled" : "streaming");
    await turns();
    expect([net.running, storage.size]).toEqual(losesAnswers ? [0, 0] : [1, 1]);
  }
});

test("a listener that comes back before the start is answered continues with it", async () => {
  const { net, observer, leave, execute } = observed();
  net.holdsStarts = true;
  void execute();
  await until(() => net.held.length);

  leave();
  await turns(1);
  observer.subscribe(() => undefined);
  observer.resume();
  net.held[0]?.();
  await vi.waitFor(() => expect(observer.snapshot().runId).toBeDefined());
  await turns();

  expect([net.running, observer.snapshot().status]).toEqual([1, "streaming"]);
  observer.reset();
});

// A row of "What happens when" in the docs.
test("five runs are stopped in the moment in which a page goes away, though its token takes its time, and are told after it", async () => {
  const told: RequestInit[] = [];
  let waits = 0;
  const token = async (): Promise<string> => {
    waits++;
    await new Promise((resolve) => setTimeout(resolve, 1));
    return `token ${waits}`;
  };
  const net = new Net();
  const fetch = async (url: RequestInfo | URL, init?: RequestInit) => {
    if (String(url).endsWith("/cancel")) told.push(init ?? {});
    return net.fetch(url, init);
  };
  const { count } = createClientIn<AnyActions>(PAGE, { url: "http://test/api", fetch, token });
  const runs = Array.from({ length: 5 }, () => count!());
  await vi.waitFor(() => expect(runs.every(({ connection }) => connection === "open")).toBe(true));
  const asked = waits;

  const stopped = runs.map((run) => run.stop()); // as a listener of `pagehide` does
  for (let microtask = 0; microtask < 50; microtask++) await Promise.resolve();

  expect([told.length, waits]).toEqual([5, asked]);
  expect(told.every(({ keepalive }) => keepalive)).toBe(true);
  expect(told.every(({ headers }) => new Headers(headers).get("Authorization")?.startsWith("Bearer token"))).toBe(true);
  await Promise.all(stopped);
  expect(net.running).toBe(0);
  for (const run of runs) run.detach();
});

test.each([401, 403])("a token with which a stop is answered %d is asked for again", async (status) => {
  const seen: (string | null)[] = [];
  const tokens = ["old", "new"];
  const fetch = async (url: unknown, { headers }: RequestInit = {}) => {
    if (String(url).endsWith("/cancel")) {
      const bearer = new Headers(headers).get("Authorization");
      seen.push(bearer);
      if (bearer !== "Bearer new") return Response.json({ error: { code: "REFUSED", statusCode: status } }, { status });
      return Response.json({ id: "r1", status: "cancelled" });
    }
    return Response.json({ id: "r1", status: "running" });
  };
  const token = async (): Promise<string> => tokens.shift() ?? "new";
  const client = createClientIn<AnyActions>(new VirtualPage(), { url: "http://test/api", fetch, token });
  await client.runs.get("r1");

  await client.runs.cancel("r1");

  expect(seen).toEqual(["Bearer old", "Bearer new"]);
});

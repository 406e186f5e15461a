// `stream` and `DurableStream` of @durable-streams/client, in each of its ways to follow a stream.

import { DurableStream, stream } from "@durable-streams/client";

import { cable } from "./cable.mjs";

const BACKOFF = { initialDelay: 1, maxDelay: 1, multiplier: 1 };
const WAYS = { auto: true, poll: "long-poll", sse: "sse" };

/** A `fetch` that calls `cut` while it follows a stream for the first time. */
function fetchAndCut(cut) {
  let isCut = false;
  return async (url, init) => {
    const answer = fetch(url, init);
    if (isCut || !url.includes("live=")) return answer;
    isCut = true;
    if (url.includes("live=sse")) await answer;
    setTimeout(cut, 5);
    return answer;
  };
}

export async function cases(url) {
  const at = (path) => `${url}${path}`;
  // Nobody else's streams have such a name: this client is anonymous.
  const mine = crypto.randomUUID();
  let names = 0;

  async function create(path, input = {}) {
    const body = JSON.stringify(input);
    return (await DurableStream.create({ url: at(path), contentType: "application/json", body })).url;
  }

  /** What a person sees who reads a stream until it ends, or until `enough`. */
  async function read(from, options = {}, enough = () => false) {
    const seen = { values: [], isClosed: false, error: null, offset: options.offset };
    try {
      const response = await stream({ url: from, sseResilience: { logWarnings: false }, ...options });
      response.closed.catch(() => {});
      try {
        for await (const value of response.jsonStream()) {
          seen.values.push(value.n ?? value.text ?? value.percent ?? value.result ?? value);
          seen.offset = response.offset;
          if (await enough(seen)) break;
        }
      } finally {
        seen.offset = response.offset;
        seen.isClosed = response.streamClosed;
      }
    } catch (error) {
      const { code } = (error.json ?? error.details)?.error ?? {};
      seen.error = { name: error.name, status: error.status ?? null, code: code ?? null };
    }
    return seen;
  }

  /** Read a stream as a person does who continues after each broken connection. */
  async function insist(from, options) {
    const whole = { values: [], cuts: 0 };
    for (let offset = "-1"; ; whole.cuts++) {
      const seen = await read(from, { ...options, offset });
      whole.values.push(...seen.values);
      offset = seen.offset ?? offset;
      if (seen.isClosed || seen.error?.status) return { ...whole, ...seen, values: whole.values };
    }
  }

  const each = (run) => async () => {
    const seen = await Promise.all(Object.entries(WAYS).map(async ([way, live]) => [way, await run(live, way)]));
    return Object.fromEntries(seen);
  };
  const started = (action, input) =>
    each(async (live) => read(await create(`/durable/${action}/${mine}/${names++}`, input), { live }));
  return {
    whole: started("count", { upto: 3 }),
    earlyError: started("fail", { code: "OUT_OF_CREDIT" }),
    hidden: started("fail", {}),
    lateError: started("fail_late", {}),
    question: started("ask", {}),
    idle: started("pause", {}),
    feed: each((live) => read(at("/durable/count_feed"), { live, params: { upto: "2", labels: "a" } })),
    async byId() {
      const body = JSON.stringify({ json: { upto: 2 } });
      const answer = await fetch(at("/orpc/count"), { method: "POST", body });
      await answer.text();
      return read(at(`/durable/runs/${answer.headers.get("run-id")}`), { live: false });
    },
    async again() {
      const first = await create(`/durable/count/${mine}/again`, { upto: 2 });
      const again = await DurableStream.create({
        url: first, contentType: "application/json", body: JSON.stringify({ upto: 2 }),
      });
      const other = await create(`/durable/count/${mine}/again`, { upto: 9 }).catch((error) => error.status);
      return { ...(await read(again.url)), other, head: (await again.head()).streamClosed };
    },
    cut: each(async (live, way) => {
      await read(await create(`/durable/count/${mine}/${way}`, { upto: 3 }));
      return read(at(`/cut/durable/count/${mine}/${way}`), { live });
    }),
    async cutEverywhere() {
      await create(`/durable/work_slowly/${mine}`, { total: 6 });
      return insist(at(`/cutcalls/durable/work_slowly/${mine}`), { live: "sse" });
    },
    resumed: each(async (live, way) => {
      const [wire, key] = [await cable(url), `durable-${way}`];
      const { pathname } = new URL(await create(`/durable/wait_for_start/${mine}/${way}`, { key }));
      const cut = async () => {
        wire.cut();
        await create(`/durable/hang/${mine}/${way}`, { key, ends: true });
      };
      const options = { live, backoffOptions: BACKOFF, fetch: fetchAndCut(cut) };
      const seen = await insist(`${wire.url}${pathname}`, options);
      wire.close();
      return seen;
    }),
    async deleted() {
      const hanging = await create(`/durable/hang/${mine}`, { key: "durable" });
      await read(hanging, {}, () => true);
      await DurableStream.delete({ url: hanging });
      const stopped = await read(await create(`/durable/await_stop/${mine}`, { key: "durable" }));
      return { isStopped: stopped.values[0], ...(await read(hanging)) };
    },
  };
}

// `DurableStream` and `IdempotentProducer` of @durable-streams/client, as those who write a stream.

import { DurableStream, IdempotentProducer, stream } from "@durable-streams/client";

const JSON_TYPE = "application/json";

export async function cases(url) {
  const create = (name, contentType) => DurableStream.create({ url: `${url}/journal/${name}`, contentType });

  async function read(from) {
    const response = await stream({ url: from, live: "long-poll" });
    response.closed.catch(() => {});
    const values = [];
    for await (const value of response.jsonStream()) values.push(value);
    return { values, isClosed: response.streamClosed };
  }

  /** A `fetch` whose every other answer gets lost after the server has sent it. */
  function losing() {
    let sent = 0;
    return async (...request) => {
      const answer = await fetch(...request);
      if (sent++ % 2 === 0) throw new TypeError("the answer is lost");
      return answer;
    };
  }

  return {
    async produced() {
      const journal = await create("produced", JSON_TYPE);
      const reading = read(journal.url);
      const options = { lingerMs: 0, maxInFlight: 1, maxBatchBytes: 1, fetch: losing() };
      const producer = new IdempotentProducer(journal, "writer", options);
      for (let n = 1; n <= 5; n++) producer.append(JSON.stringify({ n }));
      await producer.flush();
      await producer.close(JSON.stringify("end"));
      return reading;
    },
    async replaced() {
      const journal = await create("replaced", JSON_TYPE);
      const [old, now] = [0, 1].map((epoch) => new IdempotentProducer(journal, "writer", { epoch }));
      for (const producer of [old, now, old]) {
        producer.append('"x"');
        await producer.flush().catch(() => {});
      }
      await now.close();
      return read(journal.url);
    },
    async text() {
      const journal = await create("text", "text/plain");
      await journal.append("one\n");
      await journal.close({ body: "✓" });
      const late = await journal.append("late").catch((error) => error.code ?? error.status);
      const response = await stream({ url: journal.url });
      return { text: await response.text(), late };
    },
    async byId() {
      const answer = await fetch(`${url}/native/journal`, {
        method: "POST", headers: { "content-type": JSON_TYPE, prefer: "respond-async" }, body: "{}",
      });
      const run = answer.headers.get("run-id");
      const job = new DurableStream({ url: `${url}/runs/${run}`, contentType: JSON_TYPE });
      await job.append(JSON.stringify({ type: "progress", current: 1, total: 2 }));
      await job.close();
      const snapshot = await (await fetch(`${url}/native/runs/${run}`)).json();
      return { status: snapshot.status, progress: snapshot.progress?.current };
    },
  };
}

/**
 * The TypeScript client, told what to do by lines of JSON: `{"id": 1, "verb": "start", …}`.
 * Each is answered by `{"id": 1, "value": …}`, or by `{"id": 1, "error": …}` with the fields of an `ActionError`.
 */
import { createInterface } from "node:readline";
import { createClient } from "../../../src/yieldwire/asgi/static/client.js";

const clients = new Map();
const readers = new Map();

/** One reader of a run: the run, and an iteration over its events. */
function keep(run) {
    const name = readers.size;
    readers.set(name, { run, events: run.events()[Symbol.asyncIterator]() });
    return name;
}

/** Resolves when the run's id is known, or rejects with why it never will be. */
function identified(run) {
    return new Promise((resolve, reject) => {
        const leave = run.subscribe(() => {
            if (run.id === undefined && run.error === undefined) return;
            queueMicrotask(() => leave());
            if (run.id === undefined) reject(run.error);
            else resolve(run.id);
        });
    });
}

const verbs = {
    open: ({ client, url, token, transport }) => void clients.set(client, createClient({ url, token, transport })),
    close: ({ client }) => void clients.delete(client),
    async start({ client, action, input, key }) {
        const run = clients.get(client)[action](input, { idempotencyKey: key });
        const reader = keep(run);
        return { reader, run: await identified(run) };
    },
    attach: ({ client, action, run, cursor }) => ({ reader: keep(clients.get(client)[action].attach(run, cursor ?? undefined)) }),
    async read({ reader, count }) {
        const { run, events } = readers.get(reader);
        const read = [];
        while (read.length < count) {
            const { done, value } = await events.next();
            if (done) break;
            read.push([value.seq, value.type, value.data]);
        }
        return { events: read, cursor: run.cursor };
    },
    result: ({ reader }) => readers.get(reader).run.result(),
    async leave({ reader }) {
        const { run, events } = readers.get(reader);
        await events.return();
        run.detach();
    },
    cancel: ({ client, run }) => clients.get(client).runs.cancel(run),
    answer: ({ client, run, question, value }) => clients.get(client).runs.attach(run).answer(question, value),
    send: ({ client, run, message }) => clients.get(client).runs.attach(run).send(message),
};

const FIELDS = ["code", "message", "statusCode", "retryable", "fieldErrors", "data", "runId", "errorId"];

async function obey({ id, verb, ...rest }) {
    try {
        return { id, value: (await verbs[verb](rest)) ?? null };
    } catch (error) {
        if (error.name !== "ActionError") return { id, fault: error.stack };
        return { id, error: Object.fromEntries(FIELDS.map((name) => [name, error[name]])) };
    }
}

for await (const line of createInterface({ input: process.stdin })) {
    void obey(JSON.parse(line)).then((told) => console.log(JSON.stringify(told)));
}

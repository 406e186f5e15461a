/** Follows runs with the built client, until all have ended: `node follow.mjs URL ID…`, one line of JSON for each. */
import { createClient } from "../../src/yieldwire/asgi/static/client.js";

const [url, ...ids] = process.argv.slice(2);
const { runs } = createClient({ url });

async function follow(id) {
    const run = runs.attach(id, undefined, { keep: Infinity });
    const bars = [];
    let restarts = 0;
    const leave = run.subscribe((batch) => {
        restarts += batch.filter(({ type }) => type === "restarted").length;
        if (run.progress) bars.push([restarts, run.progress.current]);
    });
    const events = [];
    for await (const { seq, type, data } of run.events()) events.push([seq, type, data]);
    leave();
    const chunks = [];
    try {
        for await (const chunk of run) chunks.push(chunk);
    } catch {
        // how it has ended is in its last event
    }
    console.log(JSON.stringify({ id, events, chunks, bars }));
}

await Promise.all(ids.map(follow));

/** The lines of an answer, as Node's readline takes it apart: `node lines.mjs METHOD URL HEADERS BODY`, each line as JSON. */
import { request } from "node:http";
import { createInterface } from "node:readline";

const [method, url, headers, body] = process.argv.slice(2);
const sent = request(url, { method, headers: JSON.parse(headers) }, async (answer) => {
    for await (const line of createInterface({ input: answer, crlfDelay: Infinity }))
        console.log(JSON.stringify(line));
});
sent.end(body);

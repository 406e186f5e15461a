/** The calls that the developer page writes down mean the same call: Python and JavaScript themselves read them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { pythonOf, typescriptOf } from "../../src/yieldwire/devtools/static/snippet.js";

const call = {
    url: "http://127.0.0.1:8000/api/_actions",
    name: "book_journey",
    alias: "bookJourney",
    streams: true,
    isDetached: false,
    isAuthorized: false,
};
const hostile = {
    quotes: `it's "so" \`\${x}\` \\ {y} %s`,
    breaks: "a\nb\r\n\t\u2028\u0000\u007f",
    signs: "é😀\ud800",
    "no identifier": { nested: [1, -2.5, 1e21, true, false, null, [], {}] },
    long: Array.from({ length: 30 }, (_, n) => `item ${n}`),
};

const PYTHON = `
import json, sys
call = {}
class Run:
    def chunks(self): return iter(())
    def result(self): return None
class Client:
    def __init__(self, url, **more): call.update(url=url, more=more)
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def start(self, name, input=None, **how): call.update(name=name, input=input, how=how); return Run()
source = "\\n".join(line for line in sys.stdin.read().split("\\n") if not line.startswith("from yieldwire"))
token = "t"
exec(compile(source, "snippet", "exec"), {"Client": Client, "token": token, "print": lambda *_: None})
json.dump(call, sys.stdout, default=str)
`;

const runPython = (source) =>
    JSON.parse(execFileSync("python3", ["-c", PYTHON], { input: source, encoding: "utf8", env: { ...process.env, PYTHONIOENCODING: "utf-8" } }));

/** What the snippet calls, and with what; its imports and types are all that is not JavaScript. */
async function runTypescript(source, scope = {}) {
    const script = source.replaceAll(/^import .*$/gm, "").replace("<Actions>", "");
    const seen = {};
    const run = { result: async () => null, async *[Symbol.asyncIterator]() {} };
    const action = Object.assign((input) => ((seen.input = input), run), { start: async (input) => ((seen.input = input), (seen.isDetached = true), run) });
    const createClient = (options) => ((seen.options = options), new Proxy({}, { get: (_, name) => ((seen.name = name), action) }));
    const names = { createClient, token: "t", console: { log() {} }, ...scope };
    const AsyncFunction = (async () => {}).constructor;
    await new AsyncFunction(...Object.keys(names), script)(...Object.values(names));
    return seen;
}

test("Python reads any input as it is", () => {
    const found = runPython(pythonOf({ ...call, input: hostile }));

    assert.deepEqual(found.input, hostile);
    assert.equal(found.name, "book_journey");
    assert.equal(found.url, call.url);
    assert.deepEqual(found.how, {});
});

test("JavaScript reads any input as it is", async () => {
    const found = await runTypescript(typescriptOf({ ...call, input: hostile }));

    assert.deepEqual(found.input, hostile);
    assert.equal(found.name, "bookJourney");
    assert.deepEqual(found.options, { url: call.url });
});

test("a detached start and a token are part of the call", async () => {
    const how = { ...call, input: {}, isDetached: true, isAuthorized: true };

    const [python, typescript] = [runPython(pythonOf(how)), await runTypescript(typescriptOf(how))];

    assert.deepEqual([python.how, python.more], [{ detached: true }, { token: "t" }]);
    assert.deepEqual([typescript.isDetached, typescript.options.token], [true, "t"]);
});

test("a file is a path in Python and a picked file in TypeScript", async () => {
    const file = new File(["a"], "2 big\ncontacts.csv");
    const how = { ...call, input: { file, files: [file] } };

    const python = runPython(pythonOf(how));
    const typescript = await runTypescript(typescriptOf(how), { picker: { files: [file] } });

    assert.deepEqual(python.input, { file: "2 big\ncontacts.csv", files: ["2 big\ncontacts.csv"] });
    assert.deepEqual(typescript.input, { file, files: [file] });
    assert.equal(typescript.input.file, file);
});

test("a feed is opened and not started in Python", () => {
    const source = pythonOf({ ...call, input: hostile, isFeed: true }).replaceAll(/^/gm, "  ");
    const script = `async def f():\n${source}\n`;

    execFileSync("python3", ["-c", "import sys; compile(sys.stdin.read(), 'snippet', 'exec')"], { input: script });

    assert.match(script, /await client\.open\("book_journey", \{/);
});

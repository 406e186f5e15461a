/** The curl line means the same call, whatever the input holds: a real shell takes it apart. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { curlOf, curlOfRun } from "../../src/yieldwire/devtools/static/curl.js";

const url = "http://127.0.0.1:8000/api/_actions/count";
const hostile = [
    "it's",
    'a "b"',
    "$(touch x)",
    "`id`",
    "a\\b",
    "a\nb",
    "!!",
    "*",
    "é😀",
    "",
    " ",
    "a;b",
    "@/etc/passwd",
    "<x",
    "--help",
];

/** The arguments that a POSIX shell hands to curl. */
function argumentsOf(line) {
    const shell = `curl() { for a in "$@"; do printf '%s\\0' "$a"; done; }; ${line}`;
    return execFileSync("/bin/sh", ["-c", shell], { encoding: "utf8" }).split("\0").slice(0, -1);
}

const after = (list, flag) => list.filter((_, place) => list[place - 1] === flag);

test("JSON goes as it is, through any shell metacharacter", () => {
    for (const value of hostile) {
        const found = argumentsOf(curlOf({ url, input: { value } }));

        assert.deepEqual(JSON.parse(after(found, "-d")[0]), { value });
        assert.deepEqual(after(found, "-H"), ["Accept: text/event-stream", "Content-Type: application/json"]);
        assert.deepEqual(found.slice(0, 2), ["-N", url]);
    }
});

test("a file becomes a multipart part that curl reads", () => {
    const entries = [
        ["file", new File(["a"], "big contacts.csv")],
        ["n", "3"],
    ];

    const line = curlOf({ url, entries });

    assert.match(line, /-F 'file=@big contacts\.csv'/);
    assert.deepEqual(after(argumentsOf(line), "-F"), ["file=@big contacts.csv", "n=3"]);
});

test("a text part that curl would take for a file or an option is sent as text", () => {
    for (const value of ["@/etc/passwd", "<x", "a;type=b", 'say "x"']) {
        assert.deepEqual(after(argumentsOf(curlOf({ url, entries: [["name", value]] })), "--form-string"), [
            `name=${value}`,
        ]);
    }
});

test("a file name with what curl takes for syntax is quoted for curl", () => {
    const entries = [["file", new File(["a"], 'a;b,"c".csv')]];

    assert.deepEqual(after(argumentsOf(curlOf({ url, entries })), "-F"), ['file=@"a;b,\\"c\\".csv"']);
});

test("a feed is opened with its query", () => {
    const found = argumentsOf(curlOf({ url, method: "GET", query: "symbol=a&n=2" }));

    assert.deepEqual(found, ["-N", `${url}?symbol=a&n=2`, "-H", "Accept: text/event-stream"]);
});

test("a run is followed without a body", () => {
    assert.deepEqual(argumentsOf(curlOfRun({ url })), ["-N", url, "-H", "Accept: text/event-stream"]);
});

test("an Authorization header comes from the environment and is not written out", () => {
    assert.match(curlOfRun({ url, isAuthorized: true }), /-H "Authorization: \$AUTHORIZATION"/);
});

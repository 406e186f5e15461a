/** Files of large inputs go to the object store, or with the start if that is not possible. */

import { createHash, randomBytes } from "node:crypto";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createClient } from "../src/client.js";
import { directUploads } from "../src/direct.js";
import { SHA256 } from "../src/sha256.js";
import { done, OPENING } from "./support/script.js";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const TYPE = { headers: { "Content-Type": "text/event-stream", "Run-Id": "r1" } };

interface Seen {
  readonly url: string;
  readonly headers: Headers;
  readonly body: unknown;
  readonly credentials: RequestCredentials | undefined;
}

/** A server and an object store, which answer as `answers` say, and otherwise as they should. */
function server(answers: Record<string, (number | Error)[]> = {}) {
  const seen: Seen[] = [];
  const fetch = async (input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> => {
    const url = String(input);
    seen.push({ url, headers: new Headers(init.headers), body: init.body, credentials: init.credentials });
    const [path] = Object.keys(answers).filter((each) => url.endsWith(each));
    const fault = path && answers[path]?.shift();
    if (fault instanceof Error) throw fault;
    if (fault) return Response.json({ error: { code: "NOT_FOUND", message: "no", statusCode: fault } }, { status: fault });
    if (url.startsWith("http://bucket/")) return new Response();
    if (!url.endsWith("/uploads")) return new Response(OPENING + done(1), TYPE);
    const { files } = JSON.parse(init.body as string) as { files: { sha256: string; contentType: string }[] };
    const uploads = files.map((file) => ({ method: "PUT", url: `http://bucket/${file.sha256}`, headers: { "content-type": file.contentType, "x-hash": file.sha256 } }));
    return Response.json({ place: "p1", uploads });
  };
  const start = (body: Seen["body"]): [string, unknown][] => [...(body as FormData)].map(([name, value]) => [name, value]);
  return { fetch, seen, urls: () => seen.map(({ url }) => url), start };
}

const HELLO = new File(["hello"], "a.csv", { type: "text/csv" });
const HASH = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const START = "http://test/import_contacts";

function call({ fetch }: ReturnType<typeof server>, input: unknown, options = {}): Promise<unknown> {
  const client = createClient({ url: "http://test/", token: "t", fetch: directUploads({ fromBytes: 1, fetch, ...options }) });
  return (client as never as Record<string, (input: unknown) => { result(): Promise<unknown> }>)["import_contacts"]?.(input).result() as Promise<unknown>;
}

describe("SHA-256", () => {
  test.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100_000])("of %i bytes is the same however they are cut", (size) => {
    const content = randomBytes(size);
    for (const pieceBytes of [1, 63, 64, 65, 4096].filter((bytes) => size < 2000 || bytes > 64)) {
      const hash = new SHA256();
      for (let at = 0; at < size; at += pieceBytes) hash.update(content.subarray(at, at + pieceBytes));

      expect(hash.digest()).toBe(createHash("sha256").update(content).digest("hex"));
    }
  });
});

describe("files of a large input", () => {
  test("are written to the object store, and named in the start", async () => {
    const around = server();
    const reports: [number, number][] = [];

    await call(around, { note: "a", file: HELLO, more: [new File(["!"], "b")] }, { onUpload: (...report: [number, number]) => reports.push(report) });

    const [asked, first, second, started] = around.seen;
    expect(around.urls()).toEqual([`${START}/uploads`, `http://bucket/${HASH}`, expect.stringMatching(/bucket/), START]);
    const other = { sha256: createHash("sha256").update("!").digest("hex"), size: 1, contentType: "application/octet-stream" };
    expect(JSON.parse(asked?.body as string)).toEqual({ files: [{ sha256: HASH, size: 5, contentType: "text/csv" }, other] });
    expect(asked?.headers.get("Idempotency-Key")).toBe(started?.headers.get("Idempotency-Key"));
    expect(asked?.headers.get("Authorization")).toBe("Bearer t");
    expect(Object.fromEntries(first?.headers ?? [])).toEqual({ "content-type": "text/csv", "x-hash": HASH });
    expect([first?.credentials, second?.headers.get("Authorization")]).toEqual(["omit", null]);
    expect(started?.headers.get("Upload-Place")).toBe("p1");
    expect(around.start(started?.body)).toEqual([
      [":input", '{"input":{"note":"a","file":"a.csv","more":["b"]},"files":["/file","/more/0"]}'],
      ["0", JSON.stringify({ sha256: HASH, size: 5, contentType: "text/csv" })],
      ["1", JSON.stringify(other)],
    ]);
    expect(reports).toEqual([[5, 6], [6, 6]]);
  });

  test("are written once, however often the start is sent", async () => {
    const around = server({ import_contacts: [new TypeError("lost")] });

    await call(around, { file: HELLO });

    expect(around.urls()).toEqual([`${START}/uploads`, `http://bucket/${HASH}`, START, START]);
    expect(around.seen[3]?.headers.get("Upload-Place")).toBe("p1");
  });

  test("are written again when the connection fails", async () => {
    vi.useFakeTimers();
    const around = server({ [HASH]: [new TypeError("lost"), 503] });

    const called = call(around, { file: HELLO });
    await vi.advanceTimersByTimeAsync(5_000);
    await called;

    expect(around.urls().filter((url) => url.endsWith(HASH))).toHaveLength(3);
    expect(around.seen.at(-1)?.headers.get("Upload-Place")).toBe("p1");
  });

  test.each([
    ["the object store refuses them", { [HASH]: [403] }],
    ["the server fails", { uploads: [500] }],
    ["the server cannot be reached for a moment", { uploads: [new TypeError("lost")] }],
  ])("are sent with the start if %s", async (_, answers) => {
    const around = server(answers);

    await call(around, { file: HELLO });

    const started = around.seen.at(-1);
    expect(started?.headers.get("Upload-Place")).toBeNull();
    expect(around.start(started?.body)[1]).toEqual(["0", HELLO]);
  });
});

describe("where there is XMLHttpRequest", () => {
  /** What the page sends with it. Each is answered with one of `statuses`; without one it hangs. */
  function stub(statuses: number[]) {
    const sent: { order: string; headers: Record<string, string>; body: unknown }[] = [];
    class XHR extends EventTarget {
      readonly upload = new EventTarget();
      readonly headers: Record<string, string> = {};
      order = "";
      status = 0;
      open(method: string, url: string): void {
        this.order = `${method} ${url}`;
      }
      setRequestHeader(name: string, value: string): void {
        this.headers[name] = value;
      }
      abort(): void {
        this.dispatchEvent(new Event("loadend"));
      }
      send(body: Blob): void {
        sent.push({ order: this.order, headers: this.headers, body });
        const status = statuses.shift();
        if (status === undefined) return;
        this.upload.dispatchEvent(Object.assign(new Event("progress"), { loaded: body.size / 2 }));
        this.status = status;
        queueMicrotask(() => this.dispatchEvent(new Event("loadend")));
      }
    }
    vi.stubGlobal("XMLHttpRequest", XHR);
    return sent;
  }

  test("the page hears how much of the files was sent", async () => {
    const sent = stub([200]);
    const around = server();
    const reports: [number, number][] = [];

    await call(around, { file: HELLO }, { onUpload: (...report: [number, number]) => reports.push(report) });

    expect(sent).toEqual([{ order: `PUT http://bucket/${HASH}`, headers: { "content-type": "text/csv", "x-hash": HASH }, body: HELLO }]);
    expect(reports).toEqual([[2.5, 5], [5, 5]]);
    expect(around.seen.at(-1)?.headers.get("Upload-Place")).toBe("p1");
  });

  test("an upload that is refused there is sent with the start", async () => {
    stub([403]);
    const around = server();

    await call(around, { file: HELLO });

    expect(around.start(around.seen.at(-1)?.body)[1]).toEqual(["0", HELLO]);
  });

  test("an upload in progress is aborted", async () => {
    const sent = stub([]);
    const link = new AbortController();
    const body = new FormData();
    body.append(":input", "{}");
    body.append("0", HELLO);

    const starting = directUploads({ fromBytes: 1, fetch: server().fetch })(START, { method: "POST", body, signal: link.signal });
    await vi.waitUntil(() => sent.length);
    link.abort(new Error("left"));

    await expect(starting).rejects.toThrow("left");
  });
});

test("a server that offers no place is asked once", async () => {
  const around = server({ uploads: [404] });
  const fetch = directUploads({ fromBytes: 1, fetch: around.fetch });
  const form = (): FormData => {
    const body = new FormData();
    body.append(":input", "{}");
    body.append("0", HELLO);
    return body;
  };

  for (let n = 0; n < 2; n++) await fetch(START, { method: "POST", body: form() });

  expect(around.urls()).toEqual([`${START}/uploads`, START, START]);
});

test.each([
  ["a small input", START, { ":input": "{}", "0": new File(["a"], "a") }],
  ["a form of the page's own", START, { file: HELLO }],
  ["an answer to a question", "http://test/runs/r1/questions/1", { ":input": "{}", "0": HELLO }],
  ["a message", "http://test/runs/r1/inbox", { ":input": "{}", "0": HELLO }],
])("%s is sent as it is", async (_, url, parts) => {
  const around = server();
  const body = new FormData();
  for (const [name, value] of Object.entries(parts)) body.append(name, value);

  await directUploads({ fromBytes: 5, fetch: around.fetch })(url, { method: "POST", body });
  await directUploads({ fetch: around.fetch })("http://test/runs");

  expect(around.urls()).toEqual([url, "http://test/runs"]);
  expect(around.seen[0]?.body).toBe(body);
});

test("an upload that is aborted starts nothing, and can be started again", async () => {
  const link = new AbortController();
  const around = server();
  const body = new FormData();
  body.append(":input", "{}");
  body.append("0", HELLO);
  const fetch = directUploads({ fromBytes: 1, fetch: around.fetch });
  link.abort(new Error("left"));

  await expect(fetch(START, { method: "POST", body, signal: link.signal })).rejects.toThrow("left");
  await fetch(START, { method: "POST", body });

  expect(around.urls().filter((url) => url === START)).toHaveLength(1);
});

/** The decoder of server-sent events follows WHATWG HTML 9.2.6, however the bytes are cut, at a cost that is linear. */

import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { NDJSONDecoder } from "../src/core/ndjson.js";
import { type Message, SSEDecoder } from "../src/core/sse.js";
import { slicesOf, slicingsOf, textOf } from "./support/bytes.js";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

async function decode(slices: readonly Uint8Array[], decoder: SSEDecoder = new SSEDecoder()): Promise<Message[]> {
  const messages: Message[] = [];
  for await (const piece of textOf(slices)) messages.push(...decoder.feed(piece));
  return messages;
}

/** The standard's algorithm, over the whole text at once. */
function reference(text: string): Message[] {
  const messages: Message[] = [];
  let [data, type, id] = ["", "", ""];
  for (const line of text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/).slice(0, -1)) {
    const [, field = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/su.exec(line) ?? [];
    if (line === "") {
      if (data !== "") messages.push({ id, type: type || "message", data: data.replace(/\n$/, "") });
      [data, type] = ["", ""];
    } else if (field === "data") data += `${value}\n`;
    else if (field === "event") type = value;
    else if (field === "id" && !value.includes("\0")) id = value;
  }
  return messages;
}

/** Any lines and line ends, with what is hard: marks, NUL, characters of many bytes, U+2028, colons, spaces. */
const streams = fc
  .tuple(
    fc.constantFrom("", "\uFEFF"),
    fc.array(
      fc
        .tuple(
          fc.oneof(
            fc.constant(""),
            fc
              .tuple(
                fc.constantFrom("data", "event", "id", "retry", "", "unknown", "data ", "\uFEFFdata"),
                fc.constantFrom("", ":", ": "),
                fc.oneof(fc.constantFrom("", " ", "a", "é", "😀", "\u2028", "\uFEFF", "\0", ":", "a: b", "12", "１"), fc.string()),
              )
              .map((parts) => parts.join("").replaceAll(/[\r\n]/g, "")),
          ),
          fc.constantFrom("\n", "\r", "\r\n"),
        )
        .map((parts) => parts.join("")),
    ),
  )
  .map(([mark, lines]) => mark + lines.join(""));

test("any stream survives any slicing", async () => {
  await fc.assert(
    fc.asyncProperty(streams, fc.array(fc.nat(400)), async (text, cuts) => {
      expect(await decode(slicesOf(encode(text), cuts))).toEqual(reference(text));
    }),
    { numRuns: 1000 },
  );
});

test("any stream survives being cut after every byte", async () => {
  await fc.assert(
    fc.asyncProperty(streams, async (text) => {
      const bytes = encode(text);
      expect(await decode(Array.from(bytes, (_, place) => bytes.subarray(place, place + 1)))).toEqual(reference(text));
    }),
  );
});

test("any lines of JSON survive any slicing", async () => {
  const events = fc.array(fc.record({ seq: fc.nat(), type: fc.constant("chunk" as const), data: fc.jsonValue() }));
  await fc.assert(
    fc.asyncProperty(events, fc.array(fc.nat(400)), async (log, cuts) => {
      const text = log.map((event) => `${JSON.stringify(event)}\n `).join("");
      const decoder = new NDJSONDecoder();
      const found: unknown[] = [];
      for await (const piece of textOf(slicesOf(encode(text), cuts))) found.push(...decoder.feed(piece));

      expect(found).toEqual(log.map((event) => ({ kind: "event", event: JSON.parse(JSON.stringify(event)) as unknown })));
    }),
  );
});

test("CR, LF and CR LF end a line, also when a CR LF is cut in two", async () => {
  for (const slices of slicingsOf(encode("data: a\r\rdata: b\n\ndata: c\r\n\r\n"))) {
    expect((await decode(slices)).map(({ data }) => data)).toEqual(["a", "b", "c"]);
  }
});

test("a second byte order mark is text", async () => {
  expect(await decode([encode("\uFEFF\uFEFFdata: a\n\n")])).toEqual([]);
});

test("bytes that are not UTF-8 become replacement characters", async () => {
  const [message] = await decode([Uint8Array.of(...encode("data: "), 0xff, ...encode("\n\n"))]);

  expect(message?.data).toBe("\uFFFD");
});

test.each(["", "1.5", "-1", "1e3", "١"])("a retry of %j is none", async (value) => {
  const decoder = new SSEDecoder();

  await decode([encode(`retry: ${value}\n\n`)], decoder);

  expect(decoder.retryMs).toBeUndefined();
});

test("a message beyond the limit is refused, as one line and as many", () => {
  for (const text of [`data: ${"x".repeat(20)}`, "data: x\n".repeat(3)]) {
    expect(() => new SSEDecoder(10).feed(text)).toThrow(expect.objectContaining({ code: "PROTOCOL_ERROR" }));
  }
});

test("keepalives do not count towards the limit of a message", () => {
  expect(new SSEDecoder(30).feed(`${": keepalive\n".repeat(100)}data: x\n\n`)).toHaveLength(1);
});

/** How many characters the engine was asked to copy, join or search while `work` ran. */
function charactersTouched(work: () => void): number {
  let count = 0;
  const { slice, indexOf } = String.prototype;
  const { join } = Array.prototype;
  const { exec } = RegExp.prototype;
  vi.spyOn(String.prototype, "slice").mockImplementation(function (this: string, ...args) {
    const part = slice.apply(this, args);
    count += part.length;
    return part;
  });
  vi.spyOn(String.prototype, "indexOf").mockImplementation(function (this: string, ...args) {
    const place = indexOf.apply(this, args);
    count += (place < 0 ? this.length : place) - (args[1] ?? 0);
    return place;
  });
  vi.spyOn(Array.prototype, "join").mockImplementation(function (this: string[], ...args) {
    const text = join.apply(this, args);
    count += text.length;
    return text;
  });
  vi.spyOn(RegExp.prototype, "exec").mockImplementation(function (this: RegExp, text) {
    const start = this.lastIndex;
    const found = exec.call(this, text);
    count += (found ? found.index + found[0].length : text.length) - start;
    return found;
  });
  try {
    work();
  } finally {
    vi.restoreAllMocks();
  }
  return count;
}

test.each([
  ["server-sent events", () => new SSEDecoder(), (size: number) => `data: ${"x".repeat(size)}\n\n`],
  ["newline-delimited JSON", () => new NDJSONDecoder(), (size: number) => `{"seq":1,"type":"chunk","data":"${"x".repeat(size)}"}\n`],
])("a long line of %s in single characters costs a fixed number of steps for each", (_, newDecoder, textOfSize) => {
  const text = textOfSize(20_000);
  const decoder = newDecoder();
  let found = 0;

  const touched = charactersTouched(() => {
    for (let place = 0; place < text.length; place++) found += decoder.feed(text[place] ?? "").length;
  });

  expect(found).toBe(1);
  expect(touched).toBeLessThan(text.length * 6);
});

test("many short lines in one piece cost a fixed number of steps for each character", () => {
  const text = "id: r.1\ndata: x\n\n".repeat(2_000);

  const touched = charactersTouched(() => new SSEDecoder().feed(text));

  expect(touched).toBeLessThan(text.length * 8);
});

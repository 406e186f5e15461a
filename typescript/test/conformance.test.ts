/** The golden transcripts of `conformance/`, as far as they concern a client. */

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ActionError } from "../src/core/error.js";
import type { RunEvent } from "../src/core/event.js";
import { type Frame, frameOf, readCursor } from "../src/core/frame.js";
import { RunLog } from "../src/core/log.js";
import { NDJSONDecoder } from "../src/core/ndjson.js";
import { type Message, SSEDecoder } from "../src/core/sse.js";
import { slicingsOf, textOf } from "./support/bytes.js";

interface Decoding {
  name: string;
  text: string[];
  messages?: Message[];
  events?: RunEvent[];
  cursor?: string;
  firstSeq?: number;
  retryMs?: number;
  refused?: boolean;
}

function transcript<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../conformance/${name}.json`, import.meta.url), "utf-8")) as T;
}

const bytesOf = ({ text }: Decoding): Uint8Array => new TextEncoder().encode(text.join(""));

async function messagesOf(slices: readonly Uint8Array[]): Promise<{ messages: Message[]; retryMs: number | undefined }> {
  const decoder = new SSEDecoder();
  const messages: Message[] = [];
  for await (const piece of textOf(slices)) messages.push(...decoder.feed(piece));
  return { messages, retryMs: decoder.retryMs };
}

/** What a log has taken in, frame by frame. */
function read(frames: readonly Frame[]): { log: RunLog; events: RunEvent[] } {
  const log = new RunLog();
  log.id = "rABCDEFGHIJKLMNOPQRST";
  for (const frame of frames) log.take(frame);
  return { log, events: [...log.replay] };
}

describe("server-sent events", () => {
  const { decode } = transcript<{ decode: Decoding[] }>("sse");

  test.each(decode)("$name, however it is cut", async (each) => {
    for (const slices of slicingsOf(bytesOf(each))) {
      expect(await messagesOf(slices)).toEqual({ messages: each.messages, retryMs: each.retryMs });
    }
  });

  test.each(decode.filter(({ events }) => events))("$name: the frames are these events", async (each) => {
    const { messages } = await messagesOf([bytesOf(each)]);

    const { log, events } = read(messages.map(frameOf));

    expect(events).toEqual(each.events);
    if (each.cursor) expect(log.cursor).toBe(each.cursor);
    if (each.firstSeq) expect(log.firstSeq).toBe(each.firstSeq);
  });

  test.each(decode.filter(({ refused }) => refused))("$name", async (each) => {
    const { messages } = await messagesOf([bytesOf(each)]);

    expect(() => messages.map(frameOf)).toThrow(expect.objectContaining({ code: "PROTOCOL_ERROR" }));
  });
});

describe("newline-delimited JSON", () => {
  const { decode } = transcript<{ decode: Decoding[] }>("ndjson");

  async function linesOf(slices: readonly Uint8Array[]): Promise<Frame[]> {
    const decoder = new NDJSONDecoder();
    const frames: Frame[] = [];
    for await (const piece of textOf(slices)) frames.push(...decoder.feed(piece));
    return frames;
  }

  test.each(decode.filter(({ refused }) => !refused))("$name, however it is cut", async (each) => {
    for (const slices of slicingsOf(bytesOf(each))) {
      const { log, events } = read(await linesOf(slices));

      expect([events, log.firstSeq]).toEqual([each.events, each.firstSeq ?? 1]);
    }
  });

  test.each(decode.filter(({ refused }) => refused))("$name is refused, however it is cut", async (each) => {
    for (const slices of slicingsOf(bytesOf(each))) await expect(linesOf(slices)).rejects.toMatchObject({ code: "PROTOCOL_ERROR" });
  });
});

describe("cursors", () => {
  const { valid, invalid } = transcript<{ valid: { cursor: string; runId: string; seq: number }[]; invalid: string[] }>("cursors");

  test.each(valid)("$cursor is one", ({ cursor, runId, seq }) => {
    expect(readCursor(cursor)).toEqual({ runId, seq });
  });

  test.each(invalid.map((cursor) => ({ cursor })))("$cursor is none", ({ cursor }) => {
    expect(readCursor(cursor)).toBeUndefined();
  });
});

describe("errors", () => {
  const { objects } = transcript<{ objects: { name: string; object: object; read: object }[] }>("errors");

  test.each(objects)("$name", ({ object, read }) => {
    expect(new ActionError(object)).toMatchObject(read);
  });
});

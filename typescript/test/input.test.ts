/** What an action gets of an input, with files in it and without, from a real server. */

import { createHash } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Action, createClient } from "../src/index.js";
import { Server } from "./support/server.js";

/** How many inputs are drawn; `INPUTS=1000` is the long form. */
const INPUTS = Number(process.env["INPUTS"] ?? 100);

interface Actions {
  tell: Action<{ value?: unknown; file?: unknown }, never, [string, string]>;
  load: Action<{ file: File; more?: File[] }, unknown, Record<string, number>>;
}

const server = new Server();
beforeAll(() => server.start());
afterAll(() => server.stop());

const tell = async (input: { value?: unknown; file?: unknown }): Promise<[string, string]> =>
  (await createClient<Actions>({ url: server.url }).tell(input).result()) as [string, string];

const tricky = fc.constantFrom("a\nb\r\nc\rd", "", "null", "[1]", "{}", "0", "1", ":input", "/file", "/value/0", "a.csv", "~1");
const values = fc.oneof(tricky, fc.array(tricky), fc.dictionary(tricky, tricky), fc.jsonValue({ stringUnit: "binary" }));
const files = fc
  .tuple(fc.uint8Array(), fc.oneof(tricky, fc.string({ unit: "binary" })))
  .map(([content, name]) => new File([content as Uint8Array<ArrayBuffer>], name));

/** As the server shows a file, whose name is kept without folders and what cannot be printed. */
const told = async (file: File): Promise<RegExp> => {
  const hash = createHash("sha256").update(new Uint8Array(await file.arrayBuffer())).digest("hex");
  return new RegExp(`^<.+ ${hash}>$`, "su");
};

test(
  "any value is the same with a file next to it as in JSON alone",
  { timeout: 600_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(values, files, async (value, file) => {
        const [alone] = await tell({ value });

        const [withFile, sent] = await tell({ value, file });

        expect(withFile).toBe(alone);
        expect(sent).toMatch(await told(file));
      }),
      { numRuns: INPUTS },
    );
  },
);

test(
  "files are found wherever they are in an input, and nothing else is taken for one",
  { timeout: 600_000 },
  async () => {
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: "small" },
        values,
        files,
        fc.array(tie("tree"), { maxLength: 4 }),
        fc.dictionary(fc.oneof(tricky, fc.string({ unit: "binary" })), tie("tree"), { maxKeys: 4 }),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(tree, async (value) => {
        const named: File[] = [];
        // The same tree without files: each is a string that nothing else in it is.
        const marked: unknown = JSON.parse(
          JSON.stringify(value, (_, each: unknown) => (each instanceof File ? `<file ${named.push(each) - 1} of many>` : each)),
        );
        const [alone] = await tell({ value: marked });

        const [mixed] = await tell({ value });

        const hashes = await Promise.all(named.map(async (file) => createHash("sha256").update(await file.bytes()).digest("hex")));
        const shown = mixed.replace(/<[^<>]* ([0-9a-f]{64})>/gsu, "<$1>");
        const expected = alone.replace(/'<file (\d+) of many>'/g, (_, number: string) => `<${hashes[Number(number)]}>`);
        expect(shown).toBe(expected);
      }),
      { numRuns: INPUTS },
    );
  },
);

test("a file keeps its name, whatever is in it", async () => {
  for (const name of ['a"b.csv', "a%22b.csv", "ü😀.csv", "a;b=c.csv", "a, b.csv", "=?utf-8?q?x?=.csv", "100%.csv"])
    expect((await tell({ file: new File(["a"], name) }))[1]).toContain(`<${name} `);
});

test("null, undefined, dates and what describes itself are the same with and without a file", async () => {
  const value = { none: null, missing: undefined, day: new Date(0), holes: [undefined, null], self: { toJSON: () => ({ a: [1] }) }, not: Number.NaN };
  const [alone] = await tell({ value });

  const [withFile] = await tell({ value, file: new File(["a"], "a.csv") });

  expect(withFile).toBe(alone);
});

test("one object that is there twice has its file twice", async () => {
  const shared = { file: new File(["a"], "a.csv") };

  const [value] = await tell({ value: [shared, { again: shared }] });

  expect(value.match(/<a\.csv [0-9a-f]{64}>/g)).toHaveLength(2);
});

test("the same key with the same input is the same run, whichever form has the input", async () => {
  const { load } = createClient<Actions>({ url: server.url, token: "kate" });
  const [file, more] = [new File(["a"], "a.csv"), new File(["b"], "b.csv")];
  const form = new FormData();
  form.append("more", more);
  form.append("file", file);
  const key = { idempotencyKey: crypto.randomUUID() };

  const plain = await load.start(form as unknown as { file: File }, key);
  const placed = await load.start({ file, more: [more] }, key);

  expect(placed.id).toBe(plain.id);
  await expect(load.start({ file: more, more: [more] }, key)).rejects.toMatchObject({ code: "KEY_REUSED" });
});

/** What `yieldwire types` writes is used here: what must compile does, and what must not does not. */

import { execFile } from "node:child_process";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "../..");
const DIRECTIVE = /^ *\/\/ @ts-expect-error (TS\d+): (.*)$/;

interface Refusal {
  readonly file: string;
  readonly code: string;
  readonly sentence: string;
  readonly line: number;
}

const source = await readFile(join(here, "refused.ts"), "utf8");
const lines = source.split("\n");
const refusals: readonly Refusal[] = lines.flatMap((line, index) => {
  const [, code, sentence] = DIRECTIVE.exec(line) ?? [];
  return code && sentence ? [{ file: `refused${index}.ts`, code, sentence, line: index + 2 }] : [];
});

let folder: string;
let told: readonly string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "yieldwire-types-"));
  const config = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: { rootDir: "/", isolatedDeclarations: false, declaration: false, paths: { yieldwire: [join(root, "src/index.ts")], "yieldwire/*": [join(root, "src/*.ts")] } },
    include: ["*.ts"],
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  await Promise.all(["actions.gen.ts", "allowed.ts", "refused.ts"].map((name) => copyFile(join(here, name), join(folder, name))));
  // Each case is a copy of its own in which one directive alone is gone; one run of the compiler looks at them all.
  await Promise.all(
    refusals.map(({ file, line }) => writeFile(join(folder, file), lines.map((text, index) => (index === line - 2 ? "" : text)).join("\n"))),
  );
  told = (await compile()).split("\n");
});

afterAll(() => rm(folder, { recursive: true }));

function compile(...more: string[]): Promise<string> {
  const tsc = join(root, "node_modules/.bin/tsc");
  return new Promise((resolve) => {
    execFile(tsc, ["-p", folder, "--pretty", "false", ...more], { cwd: folder }, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
}

/** What the compiler says of a file: the line and the code of each error. */
function errorsIn(file: string): string[] {
  return told.flatMap((text) => {
    const [, line, code] = text.startsWith(`${file}(`) ? (/\((\d+),\d+\): error (TS\d+)/.exec(text) ?? []) : [];
    return line && code ? [`${code} on line ${line}`] : [];
  });
}

test("what the types allow compiles, and so do they", () => {
  expect(told.filter((text) => !/^(refused\d+\.ts\(|\s|$)/.test(text))).toEqual([]);
});

test("every directive in the file names its error", () => {
  expect(source.match(/@ts-expect-error/g)).toHaveLength(refusals.length);
});

test.each(refusals)("$code: $sentence", ({ file, code, line }) => {
  expect(errorsIn(file)).toEqual([`${code} on line ${line}`]);
});

test("nothing that they name is missing where there is no page", async () => {
  const inNode = ["--lib", "es2022", "--types", "node", "--typeRoots", join(root, "node_modules/@types")];

  const missing = (await compile(...inNode)).split("\n").filter((text) => /src\/(contract|observer|persistence)\.ts.* TS2304: /.test(text));

  expect(missing).toEqual([]);
});

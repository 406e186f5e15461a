/** The documentation is true: its TypeScript compiles against this package and generated types, and its reference is whole. */

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const docs = `${root}/../docs`;
const work = `${root}/test/.docs`;
const read = (path: string) => readFileSync(path, "utf8");

/** The blocks of a page in some languages, each with the file that its first line names. */
function blocks(page: string, languages: string) {
  const fences = read(page).matchAll(new RegExp(`^\`\`\`(${languages})\\n(?:(?://|#) (\\w+\\.\\w+)\\n)?(.*?)^\`\`\`$`, "gms"));
  return [...fences].map(([, language, file, code], n) => ({ file: file ?? `block${n}.${language}`, code: code! }));
}

afterAll(() => rmSync(work, { recursive: true, force: true }));

describe.each(["guides/use-from-react", "guides/use-from-vue", "guides/use-from-svelte-or-solid", "guides/prepare-a-front-end-for-production", "tutorial/front-end"])("the page %s", (name) => {
  test("compiles with the types of its own actions", { timeout: 120_000 }, () => {
    const page = `${docs}/${name}.md`;
    const folder = `${work}/${name.replace("/", "-")}`;
    mkdirSync(folder, { recursive: true });
    for (const { file, code } of [...blocks(page, "python"), ...blocks(page, "tsx?")]) writeFileSync(`${folder}/${file}`, code);
    const scripts = [...read(page).matchAll(/<script (?:setup )?lang="ts">\n(.*?)<\/script>/gs)];
    for (const [n, [, code]] of scripts.entries()) writeFileSync(`${folder}/setup${n}.ts`, code!);

    run(`${root}/../.venv/bin/yieldwire`, ["types", `${folder}/app.py`, "-o", `${folder}/actions.gen.ts`]);
    const compilerOptions = {
      noUnusedLocals: false, // a template uses what its script sets up
      types: ["node"],
      typeRoots: [`${root}/node_modules/@types`],
      paths: { yieldwire: [`${root}/src/index.ts`], "yieldwire/*": [`${root}/src/*.ts`] },
    };
    writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ extends: "../../tsconfig.json", compilerOptions, include: ["."] }));
    const complaints = run(`${root}/node_modules/.bin/tsc`, ["-p", folder]);

    expect(readdirSync(folder).length).toBeGreaterThan(4);
    expect(complaints).toBe("");
  });
});

function run(program: string, call: readonly string[]): string {
  try {
    return execFileSync(program, call, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).replace(/^Wrote .*\n/gm, "");
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return `${stdout}${stderr}` || String(error);
  }
}

describe("the table of what happens when", () => {
  /** The comment in front of each test that belongs to a row. */
  const mark = /^ *(?:\/\/|#) A row of "What happens when" in the docs\.\n/m;
  const [, section] = /^## What happens when\n(.*?)^## /ms.exec(read(`${docs}/reference/typescript.md`))!;
  const rows = [...section!.matchAll(/^\| (.*?) \| (.*) \| (.*?) \|$/gm)].map(([, what, does, tests]) => ({ what, does, tests: tests! }));
  const namesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
  const filesIn = (folder: string, isTest: RegExp): string[] => readdirSync(folder).filter((name) => isTest.test(name)).map((name) => `${folder}/${name}`);

  test("names a test in every row, and has a row for every test that says so", () => {
    const files = [...filesIn(`${root}/test`, /\.test\.tsx?$/), ...filesIn(`${root}/../tests/browser`, /^test_.*\.py$/)];
    const marked = files.flatMap((file) => read(file).split(mark).slice(1)).map((text) => {
      const [, inPython, inTypeScript] = /^async def (test_\w+)|\("([^"\n]+)", (?:\{[^\n]*?\}, )?(?:async )?\(/.exec(text)!;
      return inPython ?? inTypeScript!;
    });
    const states = rows.filter(({ what }) => what !== "what happens");

    expect(states.length).toBeGreaterThan(20);
    expect(states.filter(({ tests }) => namesIn(tests).length === 0)).toEqual([]);
    expect([...new Set(states.flatMap(({ tests }) => namesIn(tests)))].sort()).toEqual([...new Set(marked)].sort());
  });
});

describe("the reference", () => {
  const page = read(`${docs}/reference/typescript.md`);

  test("names everything that the entries export", () => {
    const names = ["index", "react", "vue", "svelte", "solid", "contract"].flatMap((entry) => {
      const source = read(`${root}/src/${entry}.ts`);
      const listed = [...source.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list]) => list!.split(","));
      const declared = [...source.matchAll(/^export (?:interface|type|class|function|const) (\w+)/gm)].map(([, name]) => name!);
      return [...declared, ...listed.map((each) => each.replace("type ", "").trim()).filter(Boolean)];
    });
    const spans = [...page.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span).join("\n");

    expect(names.length).toBeGreaterThan(40);
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(spans))).toEqual([]);
  });

  test.each([
    ["contract", "ClientOptions"],
    ["contract", "CallOptions"],
    ["contract", "RunQuery"],
    ["observer", "FollowOptions"],
    ["observer", "StreamOptions"],
  ])("of %s.ts describes every field of %s", (file, name) => {
    const body = read(`${root}/src/${file}.ts`).split(new RegExp(`interface ${name}\\b`))[1]!.split("\n}")[0]!;
    const fields = [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field]) => field!);

    expect(fields.length).toBeGreaterThan(1);
    expect(fields.filter((field) => !page.includes(`\`${field}\``))).toEqual([]);
  });
});

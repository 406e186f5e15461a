/** The packed package, as its users install it: every tool that many of them build with finds what it needs in it. */

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const here = fileURLToPath(new URL(".", import.meta.url));
const require = createRequire(import.meta.url);
const BINDINGS = Array(4).fill("useRun,useStreamAction");

/** Answers each call with a run of two chunks. */
const server = createServer((_, response) => {
  const events = [["run", { id: "r1", status: "running" }], ["chunk", 1], ["chunk", 2], ["done", {}]];
  response.writeHead(200, { "Content-Type": "text/event-stream", "Run-Id": "r1" });
  response.end(events.map(([type, data], seq) => `id: r1.${seq}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`).join(""));
});

before(async () => {
  const installed = `${here}node_modules/yieldwire`;
  rmSync(installed, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  const [{ filename }] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", here], { cwd: `${here}..`, encoding: "utf8" }));
  execFileSync("tar", ["-xzf", `${here}${filename}`, "-C", installed, "--strip-components=1"]);
  rmSync(`${here}${filename}`);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
});
after(() => server.close());

/** Run a tool of an app; what it says is shown if it fails. */
function run(app, tool, ...args) {
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NUXT_TELEMETRY_DISABLED: "1", NODE_ENV: undefined, NODE_TEST_CONTEXT: undefined };
  return new Promise((resolve, reject) => {
    const child = execFile("npx", ["--no-install", tool, ...args], { cwd: `${here}${app}`, env }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${tool} failed:\n${stdout}${stderr}`));
      else resolve(stdout + stderr);
    });
    child.stdin.end(); // nobody answers questions
  });
}

async function works({ count, hooks }) {
  assert.deepEqual(hooks, BINDINGS);
  assert.deepEqual(await count(`http://127.0.0.1:${server.address().port}/`), [1, 2]);
}

describe("what is packed", { concurrency: 2 }, () => {
  test("is imported by Node as it is", async () => works(await import("./page/page.js")));

  test("is required by CommonJS, where each entry has the same ActionError", async () => {
    const url = `http://127.0.0.1:${server.address().port}/`;
    const run = require("yieldwire").createClient({ url }).count();

    for (const entry of ["react", "sharing", "vue"]) assert.equal(typeof require(`yieldwire/${entry}`), "object");
    assert.deepEqual(await run.result(), null);
    assert.match(require.resolve("yieldwire/react"), /dist\/cjs\/react\.js$/);
  });

  test("is found by what reads no exports", () => {
    for (const entry of ["react", "sharing", "solid", "svelte", "vue"]) {
      const folder = `${here}node_modules/yieldwire/${entry}/`;
      const { main, types } = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));
      for (const file of [main, types]) assert.ok(readFileSync(folder + file, "utf8"));
    }
  });

  test("is bundled by esbuild", async () => {
    await run("page", "esbuild", "page.js", "--bundle", "--format=esm", "--platform=browser", "--outfile=dist/esbuild/page.mjs", "--log-level=warning");
    await works(await import("./page/dist/esbuild/page.mjs"));
  });

  test("is bundled by webpack", async () => {
    const stats = await promisify(require("webpack"))(require("./page/webpack.config.cjs"));
    const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
    assert.deepEqual([errors, warnings.filter(({ moduleName }) => moduleName.includes("/yieldwire/"))], [[], []]);
    await works(require("./page/dist/webpack/page.cjs"));
  });

  test("is bundled by Vite", async () => {
    await run("page", "vite", "build");
    await works(await import("./page/dist/vite/page.js"));
  });

  test("is tested with in Jest 29, as the guide says", async () => {
    const guide = readFileSync(`${here}../../docs/guides/test-your-front-end.md`, "utf8");
    for (const [, name, code] of guide.matchAll(/^```js\n\/\/ (\S+)\n(.*?)^```$/gms)) {
      assert.equal(code, readFileSync(`${here}jest/${name}`, "utf8"));
    }
    const said = await run("jest", "jest", "--ci");
    assert.match(said, /Tests: +2 passed, 2 total/);
  });

  for (const version of ["15", "16"]) {
    test(`is built and rendered on the server by Next.js ${version}`, async () => {
      await run(`next${version}`, "next", "build");
      const page = readFileSync(`${here}next${version}/out/index.html`, "utf8");
      assert.match(page, /<h1>count<\/h1><button>idle<\/button>/);
    });
  }

  test("is built and rendered on the server by Nuxt 4", async () => {
    await run("nuxt", "nuxt", "build");
    const { listener } = await import("./nuxt/.output/server/index.mjs");
    const nuxt = createServer(listener);
    await new Promise((resolve) => nuxt.listen(0, "127.0.0.1", resolve));
    const page = await (await fetch(`http://127.0.0.1:${nuxt.address().port}/`)).text();
    nuxt.close();
    assert.match(page, /<h1>count<\/h1><button>idle<\/button>/);
  });
});

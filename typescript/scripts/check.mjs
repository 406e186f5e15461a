/** All checks of the package other than its types and tests: imports, size, packaging. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { buildMarkdown, buildPackage, buildServed } from "./build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const SERVED = join(root, "../src/yieldwire");
const LINES = 400;
/** The maximum of bytes that most pages import, minified and gzipped. Three quarters of a kilobyte are for questions, messages and going back to a saved place, and 32 bytes for the marks in cursors. */
const CORE_BYTES = 9.25 * 1024 + 32;
/** The same for what a binding adds, without its framework; an eighth of a kilobyte is for the same. */
const BINDING_BYTES = 2.125 * 1024;
const BINDINGS = ["react", "vue", "svelte", "solid"];
const CORE = 'export { ActionError, createClient, readStreamableValue } from "./src/index.ts"';

const checks = {
  "modules import only what they are allowed to": () => run("depcruise", "src", "--config", ".dependency-cruiser.cjs"),
  [`no file above ${LINES} lines`]: () => {
    const long = filesIn("src").filter((file) => readFileSync(join(root, file), "utf8").split("\n").length - 1 > LINES);
    if (long.length) throw new Error(long.join(", "));
  },
  "the status table is the one of run.py": () => isGenerated("scripts/status.py", "src/core/status.ts"),
  "the codes are those of errors.py": () => isGenerated("scripts/errorcode.py", "src/core/code.ts"),
  "client.js matches the sources": () => isBuilt(buildServed, "asgi/static/client.js"),
  "marked.js matches its package": () => isBuilt(buildMarkdown, "devtools/static/marked.js"),
  [`the core is below ${CORE_BYTES} bytes`]: async () => isBelow(CORE_BYTES, "the core", await sizeOf(CORE)),
  [`no binding adds more than ${BINDING_BYTES} bytes to it`]: async () => {
    const core = await sizeOf(CORE);
    for (const name of BINDINGS) {
      isBelow(BINDING_BYTES, name, (await sizeOf(`${CORE}; export * from "./src/${name}.ts"`)) - core);
    }
  },
  "the package can be built": buildPackage,
  "the package is packed as its users expect": () => run("publint", "--strict"),
  "its types are found by every resolution": () => run("attw", "--pack", ".", "--quiet"),
};

async function sizeOf(contents) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents, resolveDir: root },
    outdir: "size",
    bundle: true,
    splitting: true, // what is imported on demand is not loaded with it
    minify: true,
    format: "esm",
    target: "es2022",
    external: ["react", "vue", "svelte", "svelte/*", "solid-js"],
    write: false,
  });
  const nameOf = ({ path }) => path.split("/").pop();
  const entry = outputFiles.find((file) => nameOf(file) === "stdin.js");
  const shared = outputFiles.filter((file) => entry.text.includes(`from"./${nameOf(file)}"`));
  return [entry, ...shared].reduce((sum, { contents: bytes }) => sum + gzipSync(bytes, { level: 9 }).length, 0);
}

function isBelow(limit, name, size) {
  console.log(`  ${name}: ${size} bytes`);
  if (size > limit) throw new Error(`${name}: ${size} bytes`);
}

async function isBuilt(builds, file) {
  const folder = mkdtempSync(join(tmpdir(), "yieldwire-"));
  await builds(join(folder, "built.js"));
  const isSame = readFileSync(join(folder, "built.js")).equals(readFileSync(join(SERVED, file)));
  rmSync(folder, { recursive: true });
  if (!isSame) throw new Error("run `make client`");
}

function isGenerated(script, file) {
  const told = execFileSync(join(root, "../.venv/bin/python"), [script, "-"], { cwd: root });
  if (!told.equals(readFileSync(join(root, file)))) throw new Error("run `make generate`");
}

function run(command, ...args) {
  execFileSync(join(root, "node_modules/.bin", command), args, { cwd: root, stdio: "inherit" });
}

function filesIn(folder) {
  return readdirSync(join(root, folder), { recursive: true })
    .filter((name) => name.endsWith(".ts") || name.endsWith(".tsx"))
    .map((name) => join(folder, name));
}

for (const [name, check] of Object.entries(checks)) {
  console.log(name);
  await check();
}

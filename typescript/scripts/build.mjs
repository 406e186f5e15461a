/** Builds the package into `dist/`, and the one file that the server hands to browsers. */

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const packageJson = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));

/** Options for everything that is built. */
const shared = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
};

/** The first lines of `client.js`. */
const BANNER = `\
/**
 * The browser client: calls actions and follows their runs. An ES module without dependencies.
 *
 *     import { createClient } from "/api/_actions/client.js";
 *     const actions = createClient({ url: "/api/_actions" });
 *     const run = actions.importContacts({ file });
 *     for await (const progress of run) bar.value = progress.percent;
 *     const summary = await run.result();
 *
 * Built by \`make client\` from \`typescript/src\`; the sources have the types and the reasons.
 */`;

/** The file for browsers, written to `outfile`. */
export function buildServed(outfile) {
  return build({ ...shared, entryPoints: ["src/page.ts"], banner: { js: BANNER }, minify: true, outfile });
}

/** The Markdown parser of the developer page, written to `outfile`, with its licence. */
export function buildMarkdown(outfile) {
  const licence = readFileSync(`${root}/node_modules/marked/LICENSE`, "utf8").replace(/^.*?(?=## Marked)/s, "").trim();
  return build({
    ...shared,
    stdin: { contents: 'export { lexer } from "marked";', resolveDir: root },
    banner: { js: `// @ts-nocheck\n/*\n${licence}\n*/` },
    minify: true,
    outfile,
  });
}

/** The package: ES modules for each entry and what they share, the same as CommonJS, and the types of both. */
export async function buildPackage() {
  rmSync(`${root}/dist`, { recursive: true, force: true });
  const entries = Object.keys(packageJson.exports).flatMap((path) => /^\.\/?(\w*)$/.exec(path)?.[1] ?? []);
  const entryPoints = entries.map((entry) => `src/${entry || "index"}.ts`);
  await build({ ...shared, entryPoints, splitting: true, outdir: "dist", external: Object.keys(packageJson.peerDependencies).flatMap((name) => [name, `${name}/*`]) });
  // A file for each of the sources: a bundle for each entry would have an `ActionError` for each entry.
  const sources = readdirSync(`${root}/src`, { recursive: true }).filter((file) => file.endsWith(".ts"));
  await build({
    ...shared,
    entryPoints: sources.map((file) => `src/${file}`),
    bundle: false,
    format: "cjs",
    supported: { "dynamic-import": false }, // Jest cannot import a module from CommonJS
    outdir: "dist/cjs",
  });
  writeFileSync(`${root}/dist/cjs/package.json`, '{ "type": "commonjs" }\n');
  declareTypes("dist");
  declareTypes("dist/cjs");
  // For what reads no `exports`: Metro before React Native 0.79, and TypeScript's `node10`.
  for (const entry of entries.filter(Boolean)) {
    const [main, types] = [`../dist/cjs/${entry}.js`, `../dist/cjs/${entry}.d.ts`];
    mkdirSync(`${root}/${entry}`, { recursive: true });
    writeFileSync(`${root}/${entry}/package.json`, `${JSON.stringify({ main, types }, null, 2)}\n`);
  }
}

function declareTypes(folder) {
  execFileSync("npx", ["tsc", "-p", "tsconfig.json", "--noEmit", "false", "--emitDeclarationOnly", "--outDir", folder], {
    cwd: root,
    stdio: "inherit",
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildPackage();
  await buildServed("../src/yieldwire/asgi/static/client.js");
  await buildMarkdown("../src/yieldwire/devtools/static/marked.js");
}

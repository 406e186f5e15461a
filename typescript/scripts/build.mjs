/** Builds the package into `dist/`, and the one file that the server hands to browsers. */

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

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
  return build({ ...shared, entryPoints: ["src/page.ts"], banner: { js: BANNER }, outfile });
}

/** The package: a module for each entry, shared modules, and types. */
export async function buildPackage() {
  rmSync(`${root}/dist`, { recursive: true, force: true });
  const entryPoints = ["src/index.ts", "src/sharing.ts", "src/react.ts", "src/vue.ts"];
  await build({ ...shared, entryPoints, splitting: true, outdir: "dist", external: ["react", "vue"] });
  execFileSync("npx", ["tsc", "-p", "tsconfig.json", "--noEmit", "false", "--emitDeclarationOnly", "--outDir", "dist"], {
    cwd: root,
    stdio: "inherit",
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildPackage();
  await buildServed("../src/yieldwire/asgi/static/client.js");
}

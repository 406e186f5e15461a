import { compile } from "svelte/compiler";
import { defineConfig, type Plugin } from "vitest/config";

/** Compiles Svelte's components; `?server` gives what renders one on a server. */
const svelte: Plugin = {
  name: "svelte",
  transform: (source, id) => {
    const [file = "", query] = id.split("?");
    if (!file.endsWith(".svelte")) return undefined;
    return compile(source, { filename: file, generate: query === "server" ? "server" : "client" }).js.code;
  },
};

/** Both frameworks give Node what renders on a server, and browsers the rest. */
const conditions = ["browser", "module", "import", "default"];

const inBrowser = ["test/svelte.test.ts", "test/solid.test.ts"];
const onSockets = ["test/watching.test.ts", "test/websocket.test.ts"];
const inPage = ["test/fetch.test.ts", "test/react.test.tsx", "test/vue.test.ts"];
const page = "./test/support/dom.ts";

export default defineConfig({
  plugins: [svelte],
  test: {
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      { extends: true, test: { name: "node", include: ["test/**/*.test.ts"], exclude: [...inPage, ...inBrowser, ...onSockets] } },
      // Node 20 has a WebSocket only if asked.
      { extends: true, test: { name: "sockets", include: onSockets, execArgv: ["--experimental-websocket"] } },
      { extends: true, test: { name: "page", include: inPage, environment: page } },
      {
        extends: true,
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: { name: "browser builds", include: inBrowser, environment: page, server: { deps: { inline: [/svelte/, /solid-js/] } } },
      },
      {
        extends: true,
        resolve: { alias: { react: "react18", "react-dom": "react-dom18" } },
        test: { name: "react 18", include: ["test/react.test.tsx"], environment: page, setupFiles: ["test/support/react18.ts"] },
      },
    ],
  },
});

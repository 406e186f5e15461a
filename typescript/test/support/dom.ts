/** A page to render into, over the network of Node: the requests of happy-dom would not stream. */

import { builtinEnvironments, type Environment } from "vitest/runtime";

const OF_NODE = [
  "AbortController", "AbortSignal", "Blob", "File", "FormData", "Headers", "ReadableStream", "Request", "Response", "TextDecoder",
  "URL", "URLSearchParams", "fetch",
];

const dom: Environment = {
  name: "dom",
  viteEnvironment: "ssr",
  async setup(scope: Record<string, unknown>, options) {
    const kept = Object.fromEntries(OF_NODE.map((name) => [name, scope[name]]));
    const made = await builtinEnvironments["happy-dom"].setup(scope as typeof globalThis, options);
    Object.assign(scope, kept, { XMLHttpRequest: undefined });
    return made;
  },
};

export default dom;

/** Lets React 18's renderer, which Node loads itself, find React 18 where it asks for React. */

import Module from "node:module";

const OLD = new Map([["react", "react18"], ["react-dom", "react-dom18"]]);
const loader = Module as unknown as { _resolveFilename: (request: string, ...rest: readonly unknown[]) => string };
const resolve = loader._resolveFilename;

loader._resolveFilename = (request, ...rest) => {
  const [, name = "", path = ""] = /^([\w-]+)(\/.*)?$/.exec(request) ?? [];
  return resolve(OLD.has(name) ? `${OLD.get(name)}${path}` : request, ...rest);
};

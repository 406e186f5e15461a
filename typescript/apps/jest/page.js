const { TestEnvironment } = require("jest-environment-jsdom");

// What the client needs of a page and jsdom does not have, or has in a form that Node's `fetch` refuses.
const NAMES = [
  "AbortController", "AbortSignal", "Blob", "File", "FormData", "Headers", "ReadableStream", "Request", "Response",
  "TextDecoder", "TextEncoder", "fetch",
];

module.exports = class Page extends TestEnvironment {
  constructor(...given) {
    super(...given);
    for (const name of NAMES) this.global[name] = globalThis[name];
  }
};

/** The developer page's `../client.js`: the server's `client.js`, as types. */

export type * from "../src/index.js";
export * from "../src/page.js";

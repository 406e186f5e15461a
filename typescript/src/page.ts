/** What the server serves as `client.js`: the package, and what the server's own pages need beside it. */

export { bodyOf, queryOf } from "./body.js";
export * from "./index.js";

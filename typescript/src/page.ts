/** What the server serves as `client.js`: the client, and what the server's own pages need in addition. */

export { bodyOf, queryOf } from "./body.js";
export { createClient, readStreamableValue } from "./client.js";
export { ActionError } from "./core/error.js";
export { textOf } from "./core/event.js";

/** What the server serves as `client.js`: the client alone, and what the server's own pages need beside it. */

export { bodyOf, queryOf } from "./body.js";
export { createClient, readStreamableValue } from "./client.js";
export { ActionError } from "./core/error.js";
export { textOf } from "./core/event.js";

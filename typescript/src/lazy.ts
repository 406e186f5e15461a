/** What few pages need, as one file. See `ondemand.ts`. */

export { takePlace } from "./place.js";
export { carrierFor } from "./transports/carriers.js";
export { help, poll } from "./transports/polling.js";
export { watch } from "./watching.js";

export { createClient, readStreamableValue } from "./client.js";
export type * from "./contract.js";
export type { ProtocolCode } from "./core/code.js";
export { ActionError, type ErrorFields, type FieldErrors } from "./core/error.js";
export { type Append, type Debug, type ErrorObject, type Progress, type RunEvent, type RunInfo, type Snapshot, type Text, textOf, type Value } from "./core/event.js";
export type { RunStatus } from "./core/status.js";
export type { RunState, StreamStatus } from "./core/state.js";
export { type FollowOptions, RunObserver, type StreamOptions } from "./observer.js";
export type { Persist, RunStorage } from "./persistence.js";

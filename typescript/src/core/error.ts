import { type Debug, type ErrorObject, fieldsOf } from "./event.js";

/** The fields of an `ActionError`; missing ones get their defaults. */
export type ErrorFields = Partial<ErrorObject> & { readonly requestId?: string | null };

/** Messages by path; `_root` has those about the input as a whole. */
export type FieldErrors<Path extends string = string> = { readonly [Each in Path | "_root"]?: readonly string[] };

/** An error as the server sent it. `code` is stable and for programs, `message` is for people. */
export class ActionError<Code extends string = string, Path extends string = string, Data = unknown> extends Error {
  override readonly name: string = "ActionError";
  declare readonly code: Code;
  /** The HTTP status, also if the error came as an event; 0 if no server answered. */
  declare readonly statusCode: number;
  /** Whether the same call is worth repeating. */
  declare readonly retryable: boolean;
  /** Messages by the field that they are about, if the input is invalid. */
  declare readonly fieldErrors: FieldErrors<Path> | null;
  /** What the action sent with it. */
  declare readonly data: Data;
  /** The run that ended with it. */
  declare readonly runId: string | null;
  /** Identifies the cause in the server's log. */
  declare readonly errorId: string | null;
  /** The details of an unexpected exception, from a server in development; else null. */
  declare readonly debug: Debug | null;
  /** The `X-Request-Id` of the answer, if it had one. */
  declare readonly requestId: string | null;

  constructor(fields: ErrorFields = {}) {
    super(textIn(fields.message) ?? "");
    this.code = (textIn(fields.code) ?? "INTERNAL_ERROR") as Code;
    this.statusCode = typeof fields.statusCode === "number" ? fields.statusCode : 500;
    this.retryable = fields.retryable === true;
    this.fieldErrors = (fields.fieldErrors ?? null) as FieldErrors<Path> | null;
    this.data = (fields.data ?? null) as Data;
    this.debug = fields.debug ?? null;
    this.runId = textIn(fields.runId);
    this.errorId = textIn(fields.errorId);
    this.requestId = textIn(fields.requestId);
  }
}

function textIn(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** The error for bytes that the protocol does not allow. */
export function protocolError(message: string): ActionError {
  return failure("PROTOCOL_ERROR", message);
}

/** An error that the client makes itself. */
export function failure(code: string, message: string, fields?: ErrorFields): ActionError {
  return new ActionError({ code, message, statusCode: 0, ...fields });
}

/** The facts about an unsuccessful answer, without its body. */
export interface Refusal {
  readonly status: number;
  readonly statusText: string;
  header(name: string): string | null;
}

/** Describes an answer that does not follow this protocol. */
export function foreign({ status, statusText, header }: Refusal): string {
  return `Not the server's answer: HTTP ${[status, statusText, header("Content-Type")].filter(Boolean).join(" ")}`;
}

/** The error in an answer's body; without an error object, as in a proxy's answer, `HTTP_ERROR`. */
export function errorOf(body: unknown, answer: Refusal): ActionError {
  const error = fieldsOf(fieldsOf(body)["error"]) as ErrorFields;
  // Gateways also send error objects: with numeric codes, or with codes in another case.
  const isOurs = textIn(error.code) && (error.statusCode || /^[A-Z][A-Z\d_]*$/.test(error.code as string));
  const told = isOurs ? error : { code: "HTTP_ERROR", message: foreign(answer) };
  return new ActionError({ statusCode: answer.status, ...told, runId: told.runId ?? answer.header("Run-Id"), requestId: answer.header("X-Request-Id") });
}

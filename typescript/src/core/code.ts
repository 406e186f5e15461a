/** Error codes. Written by `make generate` from `src/yieldwire/errors`; change it there. */

/** The codes that every action can end with, in addition to its own. */
export type ProtocolCode =
  | "INTERNAL_ERROR"
  | "ALREADY_ANSWERED"
  | "BAD_REQUEST"
  | "CONFLICT"
  | "FORBIDDEN"
  | "GONE"
  | "INBOX_FULL"
  | "KEY_REUSED"
  | "METHOD_NOT_ALLOWED"
  | "NOT_ACCEPTABLE"
  | "NOT_FOUND"
  | "PARSE_ERROR"
  | "PAYLOAD_TOO_LARGE"
  | "RATE_LIMITED"
  | "REQUEST_TIMEOUT"
  | "RUN_ENDED"
  | "UNAUTHORIZED"
  | "UNAVAILABLE"
  | "UNSUPPORTED_MEDIA_TYPE"
  | "UPGRADE_REQUIRED"
  | "VALIDATION_ERROR"
  | "ANSWER_TIMEOUT"
  | "LIMIT_EXCEEDED"
  | "CANCELLED"
  | "INTERRUPTED"
  | "TIMEOUT"
  // Of a streamable value that ends with only a message.
  | "FAILED"
  // Made by clients and never sent.
  | "UNREACHABLE"
  | "PROTOCOL_ERROR"
  | "HTTP_ERROR"
  | "FILE_UNREADABLE";

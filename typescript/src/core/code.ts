/** Error codes. Written by `make generate` from `src/yieldwire/errors.py`; change it there. */

/** The codes that every action can end with, in addition to its own. */
export type ProtocolCode =
  | "INTERNAL_ERROR"
  | "BAD_REQUEST"
  | "PARSE_ERROR"
  | "VALIDATION_ERROR"
  | "UNSUPPORTED_MEDIA_TYPE"
  | "PAYLOAD_TOO_LARGE"
  | "REQUEST_TIMEOUT"
  | "UNAUTHORIZED"
  | "FORBIDDEN"
  | "NOT_FOUND"
  | "METHOD_NOT_ALLOWED"
  | "NOT_ACCEPTABLE"
  | "CONFLICT"
  | "KEY_REUSED"
  | "GONE"
  | "RATE_LIMITED"
  | "UNAVAILABLE"
  | "CANCELLED"
  | "TIMEOUT"
  | "INTERRUPTED"
  | "LIMIT_EXCEEDED"
  // Of a streamable value that ends with only a message.
  | "FAILED"
  // Made by clients and never sent.
  | "UNREACHABLE"
  | "PROTOCOL_ERROR"
  | "HTTP_ERROR"
  | "FILE_UNREADABLE";

"""Everything that this package raises on purpose.

    YieldwireError
    ├── UsageError              the developer must act
    │   ├── MissingDependency       (also an ImportError)
    │   ├── InvalidAction, InvalidOutput
    │   └── IllegalTransition
    ├── CallError               the caller must act
    │   ├── ActionError             the action's own, declared errors
    │   ├── Unreachable             only in clients: no server answered
    │   │   └── TimedOut                in time (also a TimeoutError)
    │   ├── ParseError, ValidationFailed, UnsupportedMediaType, PayloadTooLarge
    │   ├── RequestTimedOut
    │   ├── Unauthorized, Forbidden, NotFound, MethodNotAllowed, NotAcceptable
    │   ├── UpgradeRequired
    │   ├── Conflict, KeyReused, ForeignCursor
    │   ├── RunEnded, AlreadyAnswered, InboxFull
    │   └── RateLimited, Unavailable
    ├── RunError                the run ended badly
    │   ├── RunCancelled, RunTimedOut, RunInterrupted, LimitExceeded, InternalError
    │   └── AnswerTimedOut
    ├── StoreError              operations must act
    │   └── Fenced, AppendConflict
    └── ProtocolError           the peer must act

Each has three facts: ``code`` (stable, on the wire), ``status`` (HTTP) and
``retryable`` (whether the same call is worth repeating).
"""

from yieldwire.errors.call import (
    ActionError,
    AlreadyAnswered,
    CallError,
    Conflict,
    Forbidden,
    ForeignCursor,
    InboxFull,
    KeyReused,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    ParseError,
    PayloadTooLarge,
    RateLimited,
    RequestTimedOut,
    RunEnded,
    TimedOut,
    Unauthorized,
    Unavailable,
    Unreachable,
    UnsupportedMediaType,
    UpgradeRequired,
    ValidationFailed,
)
from yieldwire.errors.error import ProtocolError, YieldwireError
from yieldwire.errors.errorobject import ErrorObject, FieldErrors, Json
from yieldwire.errors.run import (
    AnswerTimedOut,
    InternalError,
    LimitExceeded,
    RunCancelled,
    RunError,
    RunInterrupted,
    RunTimedOut,
)
from yieldwire.errors.store import AppendConflict, Fenced, StoreError
from yieldwire.errors.usage import (
    IllegalTransition,
    InvalidAction,
    InvalidOutput,
    MissingDependency,
    UsageError,
)

__all__ = [
    "ActionError",
    "AlreadyAnswered",
    "AnswerTimedOut",
    "AppendConflict",
    "CallError",
    "Conflict",
    "ErrorObject",
    "Fenced",
    "FieldErrors",
    "Forbidden",
    "ForeignCursor",
    "IllegalTransition",
    "InboxFull",
    "InternalError",
    "InvalidAction",
    "InvalidOutput",
    "Json",
    "KeyReused",
    "LimitExceeded",
    "MethodNotAllowed",
    "MissingDependency",
    "NotAcceptable",
    "NotFound",
    "ParseError",
    "PayloadTooLarge",
    "ProtocolError",
    "RateLimited",
    "RequestTimedOut",
    "RunCancelled",
    "RunEnded",
    "RunError",
    "RunInterrupted",
    "RunTimedOut",
    "StoreError",
    "TimedOut",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "UnsupportedMediaType",
    "UpgradeRequired",
    "UsageError",
    "ValidationFailed",
    "YieldwireError",
]

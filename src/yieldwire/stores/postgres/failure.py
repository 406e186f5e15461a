"""Explains PostgreSQL's failures, and what to do about them."""

from typing import Final

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

from yieldwire.errors import StoreError

AGAIN: Final = (errors.SerializationFailure, errors.DeadlockDetected)
"""The transaction was rolled back, and can be repeated."""
MOVED: Final = errors.ReadOnlySqlTransaction
"""The server is not the primary any more: a new connection can find the one that is."""
_OF_DATA: Final = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.ProgrammingError,
    UnicodeError,
)
"""Errors about the data or the tables, not about the moment."""
_SHUT_DOWN: Final = "57P"
_CONNECTION: Final = "08"


def is_lost(exc: BaseException) -> bool:
    """Whether an error means that its connection is gone: a new one can work."""
    if not isinstance(exc, psycopg.OperationalError) or isinstance(exc, PoolTimeout):
        return False
    return exc.sqlstate is None or exc.sqlstate.startswith((_SHUT_DOWN, _CONNECTION))


def explain(exc: Exception, where: str) -> StoreError:
    """Return the error that says what happened to the database, and what to do.

    An error that already says so is returned unchanged.
    """
    if isinstance(exc, StoreError):
        return exc
    error = StoreError(f"Runs cannot be kept in {where}: {_told(exc)}")
    error.__cause__ = exc
    error.retryable = not isinstance(exc, _OF_DATA)
    return error


def _told(exc: Exception) -> str:
    kind = _kind_of(exc)
    for kinds, told in _SAYINGS:
        if issubclass(kind, kinds):
            return told
    said = str(exc).strip().partition("\n")[0].rstrip(".")
    if isinstance(exc, psycopg.OperationalError) and exc.sqlstate is None:
        is_encryption = any(word in said for word in _OF_ENCRYPTION)
        return f"there is no connection ({said}). {_ENCRYPT if is_encryption else _CONNECT}"
    return f"{said or type(exc).__name__}."


def _kind_of(exc: Exception) -> type[Exception]:
    if not isinstance(exc, psycopg.OperationalError) or exc.sqlstate is not None:
        return type(exc)
    # libpq says only in words why the server has refused a connection.
    said = str(exc)
    return next((kind for words, kind in _REFUSALS.items() if words in said), type(exc))


_REFUSALS: Final[dict[str, type[Exception]]] = {
    "too many clients": errors.TooManyConnections,
    "remaining connection slots": errors.TooManyConnections,
    "too many connections": errors.TooManyConnections,
    "the database system is": errors.CannotConnectNow,
    "authentication failed": errors.InvalidPassword,
    "no password supplied": errors.InvalidPassword,
    "no pg_hba.conf entry": errors.InvalidAuthorizationSpecification,
    'FATAL:  role "': errors.InvalidAuthorizationSpecification,
    'FATAL:  database "': errors.InvalidCatalogName,
}

_CONNECT: Final = "Check that the server runs, and its address."
_OF_ENCRYPTION: Final = ("SSL", "certificate")
_ENCRYPT: Final = (
    "Correct the URL: its host must be one that the server's certificate names, sslrootcert the "
    "file of the authority that signed it, sslcert and sslkey those of a client's certificate, if "
    "the server asks for one, and sslmode what the server offers."
)

_Kinds = type[Exception] | tuple[type[Exception], ...]

_SAYINGS: Final[list[tuple[_Kinds, str]]] = [
    (
        PoolTimeout,
        (
            "all connections were in use for too long. Give PostgresStore more `connections`, or a "
            "longer `timeout`."
        ),
    ),
    (
        errors.TooManyConnections,
        (
            "the server has no connection left. Raise its max_connections, put PgBouncer before "
            "it, or give PostgresStore fewer `connections`."
        ),
    ),
    (
        errors.ReadOnlySqlTransaction,
        (
            "the server is read-only. Name the primary, for example with "
            "target_session_attrs=read-write in the DSN."
        ),
    ),
    ((errors.DiskFull, errors.OutOfMemory), "the server's disk or memory is full. Free some."),
    (
        errors.InvalidCatalogName,
        "the database does not exist. Create it, or name another in the DSN.",
    ),
    (
        (errors.InvalidPassword, errors.InvalidAuthorizationSpecification),
        "the server refuses this user. Check the user and the password in the DSN.",
    ),
    (
        errors.InsufficientPrivilege,
        (
            "the user is not allowed to do this. Run `yieldwire migrate` as the database's owner, "
            "and grant this user the tables."
        ),
    ),
    (
        (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedColumn),
        "its tables are missing. Run `yieldwire migrate`, or restart the application.",
    ),
    (
        errors.QueryCanceled,
        "the server cancelled a statement. Check its statement_timeout.",
    ),
    (
        (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow),
        "the server is restarting.",
    ),
]

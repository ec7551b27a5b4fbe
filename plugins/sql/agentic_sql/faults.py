"""What went wrong at the database, told to the model: never the URL, its password, host, user or file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

import sqlalchemy

from agentic import ToolError, ToolRetry
from agentic_sql.system import System

_LONGEST = 600
_HIDDEN = "…"
_MISSING = re.compile(
    r"no such (?:table|column): (?P<sqlite>[^\s,]+)"
    r"|(?:relation|column) \"?(?P<postgres>[^\"\s]+)\"? does not exist"
    r"|Table '(?P<table>[^']+)' doesn't exist|Unknown column '(?P<column>[^']+)'"
)
_STOPPED = frozenset(("57014", "3024", "1969", "1317", "SQLITE_INTERRUPT"))
_FORBIDDEN = frozenset(
    ("42501", "25006", "1044", "1142", "1143", "1227", "1370", "1792", "SQLITE_AUTH", "SQLITE_READONLY")
)
_REASONS = (
    (r"translate host|resolve|name or service", "its host name is unknown"),
    (r"password|access denied|authentication|role .* does not exist", "user or password are refused"),
    (r"database .* does not exist|unknown database", "there is no such database"),
    (r"refused|can't connect|could not connect|no such file|is the server running", "nothing answers at its address"),
    (r"time|timed", "it does not answer in time"),
    (r"unable to open", "the file is missing or cannot be read"),
    (r"not a database|malformed", "the file is no SQLite database"),
    (r"too many", "it takes no more connections"),
    (r"ssl|certificate", "its encryption does not fit"),
)


def unreachable(name: str, error: BaseException) -> ToolError:
    """The database could not be connected to; the driver's words tell the address, so only their sense is kept."""
    said = str(error)
    reason = next((told for pattern, told in _REASONS if re.search(pattern, said, re.IGNORECASE)), "")
    cause = f": {reason}" if reason else f" ({type(error).__name__})"
    return ToolError(f"The database {name} cannot be reached{cause}. An operator can see to SQL_CONNECTIONS.")


def refused(system: System, error: BaseException) -> ToolError:
    """The database refused or stopped a statement."""
    code = system.code(error)
    if code in _STOPPED:
        return ToolError("The query was stopped at the database. Narrow it, or let it count or group less.")
    told = readable(system, error)
    if code in _FORBIDDEN:
        return ToolError(f"The database refuses this: {told}. Only reading what the user may see is possible.")
    return ToolRetry(f"The database says: {told}.")


def readable(system: System, error: BaseException) -> str:
    """The database's message, without what tells of the connection, and not longer than a model should read."""
    said = " ".join(system.message(error).split()).rstrip(".")
    said = re.sub(r"(?:to |for )?user '[^']*'@'[^']*'", "to this user", said)
    url = system.url
    hidden = [url.password, url.host, url.render_as_string(hide_password=False), str(url)]
    if system.label == "SQLite":
        hidden.append(url.database)
    for secret in sorted({str(one) for one in hidden if one}, key=len, reverse=True):
        said = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", _HIDDEN, said)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"


def missing_name(message: str) -> str:
    """The table or column that the database's message says is missing, without schema; empty if it speaks of none."""
    found = _MISSING.search(message)
    if not found:
        return ""
    return next(name for name in found.groups() if name).rpartition(".")[2].strip('"`')


def nearest(name: str, known: Iterable[str]) -> Sequence[str]:
    """The known names that are most like ``name``, the likest first; three at most."""
    by_small = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), by_small, n=3, cutoff=0.5)
    return [by_small[one] for one in close]


def original(error: BaseException) -> BaseException:
    """The driver's own error within SQLAlchemy's, which would show the statement and its values."""
    inner = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else None
    return inner if inner is not None else error

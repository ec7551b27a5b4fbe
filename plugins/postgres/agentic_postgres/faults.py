"""What is wrong with the database, told by its code (SQLSTATE) or by the way in which it does not answer."""

from __future__ import annotations

from urllib.parse import urlsplit

FAULTS = {
    "53100": "the disk of the database is full. Free some room; it then works again by itself.",
    "53300": "the database takes no more connections. Raise its max_connections, or lower POSTGRES_CONNECTIONS.",
    "57P03": "the database is starting or stopping. It works again by itself once the database is up.",
    "28P01": "the database refuses the password. Correct POSTGRES_URL.",
    "28000": "the database refuses the user. Correct POSTGRES_URL, or the server's pg_hba.conf.",
    "3D000": "there is no such database. Make it, or correct POSTGRES_URL.",
    "42501": "the database user may not do this. Grant CREATE on the database, or the rights on its schema.",
    "25006": "the database is read-only. Point POSTGRES_URL at the primary server.",
    "57014": "the database took too long. Look for locks and load on it.",
}


class Busy(TimeoutError):
    """All connections that there may be are at work, and stay so. Its argument: how many they are."""


def sqlstate(error: BaseException | None) -> str:
    """PostgreSQL's code for what happened; empty where it has said nothing."""
    return getattr(error, "sqlstate", None) or ""


def meaning(error: Exception, url: str) -> str:
    """What is wrong and what to do. Holds neither the password nor any value."""
    state = sqlstate(error)
    place = urlsplit(url)
    where = f"{place.hostname or 'localhost'}:{place.port or 5432}"
    if state in FAULTS:
        return FAULTS[state]
    if isinstance(error, Busy):
        return (
            f"its {error.args[0]} connections have all been at work for too long. Look for locks and load on the "
            "database, or raise POSTGRES_CONNECTIONS."
        )
    if isinstance(error, TimeoutError):
        return f"{where} does not answer in time. Look for locks and load on it, or correct POSTGRES_URL."
    if is_lost(error):
        return f"{where} does not answer. Start the database, or correct POSTGRES_URL."
    return f"{type(error).__name__} ({state or 'no code'})."


def is_lost(error: BaseException | None) -> bool:
    """Whether the connection broke, so that another one may do.

    One that is merely late is not lost: who asked it once more would wait twice as long, and double the load.
    """
    if isinstance(error, TimeoutError):
        return False
    lost = type(error).__name__ in ("InterfaceError", "InternalClientError") or isinstance(error, OSError)
    return lost or sqlstate(error).startswith(("08", "57P"))


def passes(error: BaseException) -> bool:
    """Whether it may be over soon, with nobody changing a setting: the database restarts, or has much to do."""
    return is_lost(error) or isinstance(error, TimeoutError) or sqlstate(error) in ("53300", "57014")

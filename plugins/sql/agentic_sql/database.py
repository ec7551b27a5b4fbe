"""One database: connected to when it is first asked, read in threads, and stopped at the database when time is up."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from agentic import ToolError
from agentic_sql.call import Call, Stopped
from agentic_sql.settings import Connection

if TYPE_CHECKING:
    import sqlalchemy

    from agentic_sql.system import System

logger = logging.getLogger(__name__)

_CLOSED = "The server stops; its databases are closed."
T = TypeVar("T")
Work = Callable[["System", "sqlalchemy.Connection"], T]

_THREADS = 4
_SERVERS_MARGIN_S = 2
_SILENT_S = 10


class Database:
    """A database of SQL_CONNECTIONS. ``dialect``: sqlite, postgres or mysql. ``seconds``: how long a call may take.

    The drivers block, and are called in threads of this database's own: SQLite has no other driver, SQLAlchemy's
    reflection none either, and a statement in any of the three can be stopped from a second thread.
    """

    def __init__(self, name: str, connection: Connection, seconds: float) -> None:
        self.name = name
        self.dialect = connection.dialect
        self.functions = connection.functions
        self.seconds = seconds
        self._connection = connection
        self._opened: tuple[System, sqlalchemy.Engine] | None = None
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"sql-{name}")
        self._stoppers = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"sql-stop-{name}")
        self._running: set[Call] = set()
        self._closed = False

    async def read(self, work: Work[T], rows: int | None = None) -> T:
        """What ``work`` finds, called in a thread with a connection in a transaction that can only read.

        ``rows``: how many of a result it will look at, where that is known. Raises ToolError where the database cannot
        be reached or time is up, ToolRetry where it refuses a statement, both without anything of the URL.
        """
        if self._closed:
            raise ToolError(_CLOSED)
        call = Call(self.name)
        self._running.add(call)
        task = asyncio.get_running_loop().run_in_executor(self._threads, self._work, call, work, rows)
        try:
            async with asyncio.timeout(self.seconds):
                return await task
        except TimeoutError:
            raise ToolError(
                f"The query took longer than {self.seconds:g} s and was stopped at the database. Narrow it, aggregate "
                "less, or use columns that have an index."
            ) from None
        except asyncio.CancelledError:
            if self._closed and task.cancelled() and not _is_cancelled():
                raise ToolError(_CLOSED) from None
            raise
        finally:
            self._running.discard(call)
            if task.cancelled() and not self._closed:
                self._stoppers.submit(call.stop)

    def _work(self, call: Call, work: Work[T], rows: int | None) -> T:
        import sqlalchemy

        from agentic_sql.faults import original, refused, unreachable

        system, engine = self._open()
        known: tuple[type[Exception], ...] = (sqlalchemy.exc.SQLAlchemyError, *system.errors, OSError)
        try:
            connection = engine.connect()
        except known as error:
            logger.warning("[SQL] %s: no connection: %s", self.name, type(original(error)).__name__)
            raise unreachable(self.name, original(error)) from None
        except (TypeError, ValueError, ImportError) as error:
            # Options of the URL that its driver does not know, for one.
            raise unreachable(self.name, error) from None
        try:
            return self._held(call, work, rows, (system, connection))
        except known as error:
            raise refused(system, original(error)) from None
        except Stopped:
            raise ToolError("The query was stopped.") from None
        finally:
            connection.close()

    def _held(self, call: Call, work: Work[T], rows: int | None, opened: tuple[System, sqlalchemy.Connection]) -> T:
        """The work between the transaction's begin and its end, on a connection that goes back clean or not at all."""
        system, connection = opened
        try:
            call.hold(system, connection.connection.driver_connection)
            system.begin(connection, self.seconds + _SERVERS_MARGIN_S, rows)
            return work(system, connection)
        finally:
            if call.release():
                connection.invalidate()
            elif not connection.invalidated:
                _end(system, connection)

    def _open(self) -> tuple[System, sqlalchemy.Engine]:
        from agentic_sql.opening import system_of

        with self._lock:
            if self._opened is None:
                system = system_of(self.name, self._connection, self.seconds + _SILENT_S)
                self._opened = system, system.engine()
            return self._opened

    async def aclose(self) -> None:
        """Stop what runs, and close the connections."""
        self._closed = True
        for call in list(self._running):
            self._stoppers.submit(call.stop)
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._stoppers.shutdown(wait=True)
        self._threads.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            opened: Any = self._opened
            self._opened = None
        if opened is not None:
            opened[1].dispose()


def _is_cancelled() -> bool:
    """Whether the caller itself is being cancelled, and not only what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _end(system: System, connection: sqlalchemy.Connection) -> None:
    """End the transaction; a connection that cannot do even that is not used again."""
    from sqlalchemy.exc import SQLAlchemyError

    known: tuple[type[Exception], ...] = (SQLAlchemyError, *system.errors, OSError)
    try:
        system.end(connection)
    except known:
        connection.invalidate()

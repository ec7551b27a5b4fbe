"""What is asked of a database system: to read only, within a time, and to stop when told so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import sqlalchemy
from sqlalchemy import URL, Connection, Engine

POOL_SIZE = 4
"""Connections to one database at most."""

CONNECT_S = 10
"""Seconds until a server that does not answer is given up."""


class System(ABC):
    """One database of one system. All methods block; they are called in threads.

    ``errors``: what its driver raises.
    """

    label: ClassVar[str]
    errors: tuple[type[Exception], ...]

    def __init__(self, url: URL, seconds: float) -> None:
        """``seconds``: after which a silent server is given up, whatever it was asked."""
        self.url = url
        self.seconds = seconds

    @abstractmethod
    def engine(self) -> Engine:
        """A pool whose connections leave transactions to ``begin`` and can only read."""

    @abstractmethod
    def begin(self, connection: Connection, seconds: float, rows: int | None) -> None:
        """Open a transaction that can only read and lasts no statement longer than ``seconds``.

        ``rows``: how many of a result will be looked at, where that is known.
        """

    @abstractmethod
    def cursor(self, raw: Any) -> Any:
        """A cursor of the driver's that brings rows as they are fetched, not the whole result."""

    @abstractmethod
    def leave(self, connection: Connection, cursor: Any, whole: bool) -> None:
        """Be done with a cursor; ``whole``: all of its rows were fetched."""

    def end(self, connection: Connection) -> None:
        """Roll the transaction back, and let go of whatever a session can keep beyond one."""
        connection.exec_driver_sql("ROLLBACK")

    @abstractmethod
    def interrupt(self, raw: Any) -> None:
        """Stop the statement that runs on a connection. Called in another thread than the statement's."""

    @abstractmethod
    def message(self, error: BaseException) -> str:
        """What the database says is wrong, without what the driver adds."""

    @abstractmethod
    def code(self, error: BaseException) -> str:
        """The error's code in this system; empty if it has none."""

    @abstractmethod
    def estimates(self, connection: Connection) -> Mapping[tuple[str, str], int | None]:
        """The tables and views that may be read, as (schema, name), with a cheap estimate of their rows or None.

        The schema is empty where it need not be written.
        """

    def view_columns(self, connection: Connection, schema: str, view: str) -> Sequence[Mapping[str, Any]]:
        """The columns of a view, or of anything else that is no table, as SQLAlchemy's inspector gives them."""
        return sqlalchemy.inspect(connection).get_columns(view, schema=schema or None)

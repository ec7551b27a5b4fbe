"""The databases of SQL_CONNECTIONS, each made once for both tools, and who may read which."""

from __future__ import annotations

from agentic import Principal, ToolError, ToolRetry
from agentic_sql.database import Database
from agentic_sql.settings import Settings

SYSTEM_NAMES = {"sqlite": "SQLite", "postgres": "PostgreSQL", "mysql": "MySQL/MariaDB"}


class Connections:
    """Finds the database that a call means."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._roles = {name: connection.roles for name, connection in settings.sql_connections.items()}
        self._databases = {
            name: Database(name, connection, settings.sql_timeout)
            for name, connection in settings.sql_connections.items()
        }

    def described(self) -> str:
        """The names and systems of the databases that are open to everybody, in one line; others are not named."""
        named = [
            f"{name} ({SYSTEM_NAMES[database.dialect]})"
            for name, database in self._databases.items()
            if self._roles[name] is None
        ]
        return f"Connections: {', '.join(named)}." if named else ""

    def pick(self, name: str, principal: Principal) -> Database:
        """The database called ``name``, or the only one if it is empty.

        Raises ToolRetry with the names that this principal may use, ToolError where there is none. A connection that
        is closed to them is answered as if it did not exist.
        """
        mine = [one for one, roles in self._roles.items() if roles is None or principal.role in roles]
        if not mine:
            raise ToolError("No database is open to this user. An operator can change that in SQL_CONNECTIONS.")
        if not name and len(mine) == 1:
            return self._databases[mine[0]]
        if name in mine:
            return self._databases[name]
        found = [one for one in mine if one.lower() == name.strip().lower()]
        if len(found) == 1:
            return self._databases[found[0]]
        told = f"There is no connection of this name. Connections: {', '.join(mine)}."
        raise ToolRetry(told if name else f"Say which connection is meant: {', '.join(mine)}.")

    async def checked(self) -> str:
        """In one line, that every database answers. Raises ToolError that names those that do not, and why."""
        faults: list[str] = []
        for database in self._databases.values():
            try:
                await database.read(lambda system, connection: len(system.estimates(connection)))
            except ToolError as error:
                faults.append(error.message)
        if faults:
            raise ToolError(" ".join(faults))
        return f"reads {', '.join(self._databases)}"

    async def aclose(self) -> None:
        """Stop what still runs, and close every database. May be called more than once."""
        for database in self._databases.values():
            await database.aclose()

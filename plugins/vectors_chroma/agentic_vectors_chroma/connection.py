"""The way to Chroma: a client that is made at the first use, and what its errors mean to people."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from agentic import StorageError
from agentic_vectors_chroma.files import Scrubbing, erase
from agentic_vectors_chroma.holding import Taken, hold, let_go
from agentic_vectors_chroma.settings import Settings

T = TypeVar("T")
logger = logging.getLogger(__name__)


class Connection:
    """A server's address, or the folder of a Chroma within this process. Its methods block."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.folder = None if settings.chroma_host else folder
        self._settings = settings
        self._making = threading.Lock()
        self._client: Any = None
        self._scrubbing = Scrubbing(self.folder) if self.folder else None

    @property
    def place(self) -> str:
        """How messages name it."""
        if self.folder:
            return f"Chroma ({self.folder.name})"
        return f"Chroma ({self._settings.chroma_host}:{self._settings.chroma_port})"

    def use(self, work: Callable[[Any], T]) -> T:
        """Do something with the client. Raises StorageError for whatever Chroma, its server or the disk refuse.

        So it does while another process has the folder.
        """
        # Chroma begins with a part of numpy, and whoever imports all of it at that moment would get half.
        import numpy  # noqa: F401, I001
        import chromadb
        import httpx

        try:
            return work(self._made())
        except (httpx.HTTPError, ConnectionError) as error:
            raise self._away(error) from error
        except Taken as error:
            raise self._taken(error) from error
        except OSError as error:
            raise StorageError(f"{self.place} failed: {error.strerror or type(error).__name__}.") from error
        except chromadb.errors.ChromaError as error:
            logger.error("[Chroma] Failed: %s: %s", type(error).__name__, error)
            raise StorageError(f"{self.place} failed: {_told(error)}") from error

    def erase(self) -> None:
        """Give back the room of what was deleted, so that its bytes are gone; nothing is done to a server."""
        if self.folder is None:
            return
        try:
            erase(self.folder)
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"{self.place}: the vectors were removed, but their bytes are still in its files: {error}. "
                "Stop the server and run: chroma vacuum"
            ) from error

    def scrub(self) -> None:
        """Overwrite what new index files hold besides vectors; call it where no one else writes."""
        scrubbing = self._scrubbing
        if scrubbing is not None:
            self.use(lambda _: scrubbing.scrub())

    def close(self) -> None:
        """Close the client, and let other processes at the folder. It is opened anew at the next use."""
        with self._making:
            client, self._client = self._client, None
            if client is not None:
                client.close()
                if self.folder is not None:
                    let_go(self.folder)

    def _made(self) -> Any:
        with self._making:
            if self._client is None:
                self._client = self._server() if self.folder is None else self._within(self.folder)
            return self._client

    def _server(self) -> Any:
        import chromadb

        token = self._settings.chroma_token
        try:
            client: Any = chromadb.HttpClient(
                host=str(self._settings.chroma_host),
                port=self._settings.chroma_port,
                ssl=self._settings.chroma_ssl,
                headers={"Authorization": f"Bearer {token.get_secret_value()}"} if token else None,
                settings=_quiet(),
            )
        except ValueError as error:
            # So it is told that nobody listens there.
            raise self._away(error) from error
        # Chroma's own client would wait for ever.
        client._server._session.timeout = self._settings.chroma_timeout
        return client

    def _within(self, folder: Path) -> Any:
        import chromadb

        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        hold(folder)
        try:
            if self._scrubbing is not None:
                self._scrubbing.begin()
            return chromadb.PersistentClient(str(folder), settings=_quiet())
        except BaseException:
            let_go(folder)
            raise

    def _taken(self, by: Taken) -> StorageError:
        logger.error("[Chroma] In use: process=%s folder=%s", by or "unknown", self.folder)
        return StorageError(
            f"{self.place} is in use by another process, and without a server Chroma serves one at a time. Stop that "
            "one (agentic serve, as a rule), or run a server for both, 'chroma run --path' and the folder, and set "
            "CHROMA_HOST."
        )

    def _away(self, error: Exception) -> StorageError:
        logger.error("[Chroma] Away: %s: %s", type(error).__name__, error)
        return StorageError(f"{self.place} does not answer. Start it, or correct CHROMA_HOST and CHROMA_PORT.")


def _quiet() -> Any:
    from chromadb.config import Settings as ChromaSettings

    return ChromaSettings(anonymized_telemetry=False)


def _told(error: Exception) -> str:
    text = str(error)
    if "disk is full" in text or "No space left" in text:
        return "the disk is full. Free some room; it then works again by itself."
    if "unable to open database" in text or "readonly database" in text:
        return "its folder cannot be written. Make it writable for the server's user."
    return f"{type(error).__name__}. The log says more."

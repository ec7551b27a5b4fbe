"""Which stores keep what is kept, where no setting says so: those that have kept it so far.

Else the plugin of a store that is set aside, or another one that comes with a higher rank, would have the server go on
with an empty store, as if all users and their data were gone. Indexes need none of this: one that lacks documents says
so at each search.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from agentic.catalog.catalog import Catalog, Kind
from agentic.errors import ConfigurationError

logger = logging.getLogger(__name__)
FILE = "stores.json"


class Stores:
    """The choice of stores, remembered in ``folder``. Blocks on the disk."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog = catalog
        self._path = folder / FILE
        self._kept = _read(self._path)

    def choose(self, kind: Kind, wanted: str | None, setting: str) -> Any:
        """What ``wanted`` names; where it names none, what was chosen so, else the highest-ranked, which is remembered.

        Raises ConfigurationError, see :meth:`Catalog.choose`.
        """
        if wanted:
            return self._catalog.choose(kind, wanted, setting)
        kept = self._kept.get(kind)
        if kept is None:
            chosen = self._catalog.choose(kind, None, setting)
            self._keep(kind, self._catalog.all(kind)[0].name)
            return chosen
        try:
            return self._catalog.choose(kind, kept, setting)
        except ConfigurationError as error:
            told = f"{setting} is not set, and {kept} has kept what there is so far ({self._path}). {error.message}"
            raise ConfigurationError(told, param=setting) from None

    def _keep(self, kind: Kind, name: str) -> None:
        self._kept[kind] = name
        try:
            _write(self._path, self._kept)
        except OSError as error:
            # A full disk stops no start. It is remembered at the next.
            logger.warning("[Catalog] Not remembered which store is in use: %s: %s", self._path, error.strerror)


def _read(path: Path) -> dict[str, str]:
    try:
        kept = json.loads(path.read_bytes())
        return {str(kind): str(name) for kind, name in kept.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"{path} tells which stores are in use, and cannot be read ({type(error).__name__}). Make it readable, or "
            "remove it and name them: STORAGE, BLOBS."
        ) from error


def _write(path: Path, kept: dict[str, str]) -> None:
    """In one step, since another process may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{FILE}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(kept, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except OSError:
        Path(draft).unlink(missing_ok=True)
        raise

"""Where the weights are: a file the operator named, one installed beside us, or one fetched into DATA_DIR/models."""

from __future__ import annotations

import asyncio
import logging
from importlib import metadata
from pathlib import Path

from agentic import ModelUnavailable
from agentic_llamacpp.fetch import Fetcher, installer
from agentic_llamacpp.release import SMOLLM2, Release

logger = logging.getLogger(__name__)

GGUF = b"GGUF"


class Weights:
    """The weights' file, fetched at the first call for it.

    ``folder`` keeps what was fetched; ``named`` is the operator's own file, beside which nothing else is looked at.
    """

    def __init__(
        self, folder: Path, named: Path | None = None, *, release: Release = SMOLLM2, fetcher: Fetcher | None = None
    ) -> None:
        self._folder = folder
        self._named = named
        self._release = release
        self._fetcher = fetcher or Fetcher()
        self._fetching: asyncio.Task[Path] | None = None
        self._failure = ""
        self._found: Path | None = None

    @property
    def model_id(self) -> str:
        """The model's id: the release's, or the named file's own name."""
        if self._named is None or self._named.name == self._release.file_name:
            return self._release.file_name.partition(".")[0].lower()
        return self._named.stem.lower()

    async def path(self) -> Path:
        """The file, ready to be loaded. Raises ModelUnavailable with the fix.

        Callers share one fetch, which goes on when a caller is cancelled; after a failed one the next call tries again.
        """
        found = await asyncio.to_thread(self._find)
        if found is not None:
            return found
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch())
            self._fetching.add_done_callback(_looked_at)
        fetching = self._fetching
        await asyncio.wait([fetching])  # unlike awaiting the task itself, this leaves it alone when we are cancelled
        if fetching.cancelled():
            raise ModelUnavailable("The embedded model has been shut down; start the server again.")
        return fetching.result()

    async def trouble(self) -> str | None:
        """None if the file is there or can be fetched, else what is wrong and what to do. Fetches nothing."""
        try:
            if await asyncio.to_thread(self._find) is not None:
                return None
            await asyncio.to_thread(installer)
        except ModelUnavailable as error:
            return error.message
        return self._failure or None

    async def aclose(self) -> None:
        """Stop a fetch that is under way."""
        if self._fetching is not None and not self._fetching.done():
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    async def _fetch(self) -> Path:
        try:
            path = await self._fetcher.fetch(self._release, self._folder)
        except ModelUnavailable as error:
            self._failure = error.message
            logger.warning("[Weights] Fetch failed: %s", error.message)
            raise
        self._failure = ""
        return path

    def _find(self) -> Path | None:
        if self._named is not None:
            return _checked(self._named.expanduser())
        size = self._release.size
        # Looking through what is installed takes milliseconds, and every call of the model asks.
        if self._found is None or not _has_size(self._found, size):
            candidates = [_installed(self._release), self._folder / self._release.file_name]
            self._found = next((path for path in candidates if path and _has_size(path, size)), None)
        return self._found


def _looked_at(fetching: asyncio.Task[Path]) -> None:
    """Take the error of a fetch whose callers have all gone; it was logged when it happened."""
    if not fetching.cancelled():
        fetching.exception()


def _checked(named: Path) -> Path:
    try:
        with named.open("rb") as file:
            magic = file.read(len(GGUF))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelUnavailable(
            f"AGENTIC_MODEL_FILE names {named}, which cannot be read ({reason}): name a gguf file, or unset it."
        ) from error
    if magic != GGUF:
        raise ModelUnavailable(f"AGENTIC_MODEL_FILE names {named}, which is no gguf file: name one, or unset it.")
    return named.resolve()


def _installed(release: Release) -> Path | None:
    """The release's file in this environment. Found without an import: its package needs libraries we do not use."""
    try:
        return Path(str(metadata.distribution(release.distribution).locate_file(release.file)))
    except metadata.PackageNotFoundError:
        return None


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size

"""The process that reads documents: :func:`agentic.workers.serve` over the reader that the request names."""

from __future__ import annotations

import contextlib
import errno
import importlib
from pathlib import Path
from typing import IO

from agentic.documents.pages import line_of
from agentic.errors import ToolError, ToolRetry
from agentic.messages import Json
from agentic.ports.documents import DocumentReader
from agentic.workers import serve

_SLACK = 8
"""A page of text takes up to six bytes a character in JSON."""
_NO_ROOM = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


def read(request: Json, _payload: bytes) -> str:
    """Write the pages of the file ``path`` to ``out``, and tell how many they were.

    ``most`` bounds their characters in all. Raises ToolError with what is wrong, for the user; ToolRetry where the disk
    is full, which is no fault of the document's.
    """
    most: int = request["most"]
    _limit_files(most * _SLACK)
    try:
        reader = getattr(importlib.import_module(request["module"]), request["class"])()
        with Path(request["out"]).open("wb") as out:
            return str(_write(reader, Path(request["path"]), out, most))
    except (ToolError, MemoryError, RecursionError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise ToolRetry(no_room(error)) from error
        # Libraries raise every kind for a damaged file; the user reads why, and the server goes on.
        kind = type(error).__name__
        raise ToolError(f"It cannot be read ({kind}): it is damaged, or is not what it seems to be.") from error


def no_room(error: OSError) -> str:
    """What a user is told whose document cannot be read since the server's disk is full, or fails."""
    return f"The server's disk does not take what reading it needs: {error.strerror}. Let that be mended."


def _write(reader: DocumentReader, path: Path, out: IO[bytes], most: int) -> int:
    pages, characters, is_blank = 0, 0, True
    for page in reader.read(path):
        characters += len(page.text)
        if characters > most:
            raise ToolError(f"It holds more than {most} characters of text (READER_MAX_CHARACTERS). Split it up.")
        pages += 1
        is_blank = is_blank and not page.text.strip()
        out.write(line_of(page))
    if is_blank:
        raise ToolError("It holds no text.")
    return pages


def _limit_files(size: int) -> None:
    """Let no library unpack more onto the disk; macOS and Windows are bounded by time alone."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size if hard < 0 else min(size, hard), hard))


if __name__ == "__main__":
    serve(
        read,
        too_big="Reading it takes more memory than it may (READER_MEMORY_MB). Split it up.",
        too_deep="It is nested too deeply to be read.",
    )

"""What commands write, and the places that take no more of it, or not everything: a full disk, a narrow encoding."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from agentic.cli.steps import encodable, printable
from agentic.errors import BadRequest
from agentic.messages import dump

AsJson = Annotated[bool, typer.Option("--json", help="As JSON; times in seconds since 1970.")]
_TAKES_NO_MORE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


@contextmanager
def written_out() -> Iterator[None]:
    """Around every command: where its output cannot be written, one line says so, and the exit code is 1.

    A reader that has seen enough, as ``head`` has, is no fault: typer and rich end the command with 1 and no line.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _TAKES_NO_MORE or error.filename is not None:
            raise
        # What is left in the buffer would fail once more, with a trace, when the interpreter ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        print(f"error: the output cannot be written: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def need_output() -> None:
    """End a command whose answer could go nowhere."""
    if sys.stdout is None:
        end_with("there is no standard output")


def end_with(fault: str) -> NoReturn:
    """End the command with exit code 1 and one line that says why."""
    typer.echo(f"error: {printable(fault)}", err=True)
    raise typer.Exit(1)


def for_output(text: str) -> str:
    """The text for standard output: a program gets it as it is, a terminal would obey what is in it."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return printable(text) if is_terminal else encodable(text)


def print_json(value: Any) -> None:
    """Print a JSON value, for programs. It is ASCII: every file can hold it, and no terminal obeys what is in it."""
    typer.echo(json.dumps(json.loads(dump(value)), indent=2))


def day(seconds: float) -> str:
    """The day of a moment in epoch seconds, in UTC: ``2026-11-30``."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def minute(timestamp: str) -> str:
    """A moment as conversations tell it, to the minute: ``2026-11-30 13:55``."""
    return timestamp[:16].replace("T", " ")


async def write_new(path: Path, pieces: AsyncIterator[bytes]) -> None:
    """Write a new file, whole or not at all. Raises BadRequest where there is one already, or it cannot be written."""
    # The first piece may raise that there is nothing to be written.
    first = await anext(pieces, b"")
    try:
        file = await asyncio.to_thread(path.open, "xb")
        try:
            await asyncio.to_thread(file.write, first)
            async for piece in pieces:
                await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(file.close)
        except BaseException:
            # Half of it would look like the whole, and be in the way of the next try.
            with suppress(OSError):
                file.close()
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise
    except OSError as error:
        raise BadRequest(f"{path}: {error.strerror or 'cannot be written'}.") from error

"""Standard output that takes no more, or not everything: a full disk behind it, a narrow encoding, or none at all."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, TextIO, cast

import typer

_TAKES_NO_MORE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


@contextmanager
def written_out() -> Iterator[None]:
    """Around a command that shows an answer: where that cannot be written, one line says so, and the exit code is 1.

    A reader that has seen enough, as ``head`` has, is no fault and gets no line. What the encoding cannot show is shown
    as ``?``.
    """
    if sys.stdout is None:
        end_with("there is no standard output")
    for stream in cast("list[TextIO | None]", [sys.stdout, sys.stderr]):
        if stream is not None:
            stream.reconfigure(errors="replace")  # type: ignore[attr-defined]
    try:
        yield
    except OSError as error:
        if error.errno not in _TAKES_NO_MORE:
            raise
        # What is left in the buffer would fail once more, with a trace, when the interpreter ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        end_with(f"the answer cannot be written: {error.strerror}")


def end_with(fault: str) -> NoReturn:
    """End the command with exit code 1 and one line that says why."""
    typer.echo(f"error: {fault}", err=True)
    raise typer.Exit(1)

"""Standard output that takes no more: a full disk behind it, or none at all."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

_TAKES_NO_MORE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


@contextmanager
def written_out() -> Iterator[None]:
    """Around a command that shows an answer: where that cannot be written, one line says so, and the exit code is 1.

    A reader that has seen enough, as ``head`` has, is no fault and gets no line.
    """
    if sys.stdout is None:
        _end("there is no standard output")
    try:
        yield
    except OSError as error:
        if error.errno not in _TAKES_NO_MORE:
            raise
        # What is left in the buffer would fail once more, with a trace, when the interpreter ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        _end(f"the answer cannot be written: {error.strerror}")


def _end(fault: str) -> None:
    typer.echo(f"error: {fault}", err=True)
    raise typer.Exit(1)

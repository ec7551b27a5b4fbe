"""The settings of a terminal, changed for a while."""

from __future__ import annotations

import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def changed(terminal: int, change: Callable[[list[Any]], None], *, when: int) -> Iterator[None]:
    """While this is held the settings are as ``change`` makes them, see :func:`termios.tcgetattr`.

    ``when`` they take hold: TCSADRAIN keeps what is typed already, TCSAFLUSH throws it away. What is no terminal is
    left as it is.
    """
    try:
        before = termios.tcgetattr(terminal)
    except termios.error:
        yield
        return
    settings = [*before[:6], [*before[6]]]
    change(settings)
    termios.tcsetattr(terminal, when, settings)
    try:
        yield
    finally:
        # It may have gone away.
        with suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)

"""How far a fetch is: a bar on a terminal, else a line in the log."""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

logger = logging.getLogger(__name__)


class FetchProgress:
    """Shown on stderr while the ``with`` block lasts. ``size`` is the expected number of bytes. Make it in a
    thread: on a terminal it imports the library that draws the bar."""

    def __init__(self, title: str, size: int) -> None:
        self._title = title
        self._size = size
        self._bar = _bar() if sys.stderr.isatty() else None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        logger.info("[Weights] Fetch: %s, %d MB, once", self._title, self._size // 10**6)
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("Fetching the embedded model, once", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, done: int) -> None:
        """Tell that ``done`` bytes are there; 0 where the installer keeps them out of sight."""
        if self._bar is not None and self._task is not None and done:
            self._bar.update(self._task, completed=min(done, self._size), total=self._size)


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )

"""Logging: to the console and a rotating file, written by a thread of its own, and without anybody's content.

Loggers of agentic, of its plugins (``agentic_…``) and of the web server log from LOG_LEVEL on, all others from WARNING
on: HTTP and model clients write addresses and bodies below that. A traceback shows frames and the error's type; its
message only where it cannot hold content, or where LOG_CONTENT is true.
"""

from __future__ import annotations

import atexit
import copy
import logging
import os
import queue
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from traceback import walk_tb
from typing import Any

from agentic import content
from agentic.catalog.settings import Settings
from agentic.errors import (
    BudgetExceeded,
    ConfigurationError,
    ModelNotFound,
    ModelTimeout,
    ModelUnavailable,
    RunEnded,
    StorageError,
)

logger = logging.getLogger(__name__)

FILE_BYTES = 10 * 1024 * 1024
FILES_KEPT = 5
_LINE = "%(asctime)s %(levelname)-8s %(name)s: %(message)s"
_OWN = re.compile(r"(agentic|agentic_\w+|uvicorn|__main__)(\.|$)")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
_TOLD = (
    BudgetExceeded,
    ConfigurationError,
    ImportError,
    ModelNotFound,
    ModelTimeout,
    ModelUnavailable,
    RunEnded,
    StorageError,
)


def configure(settings: Settings, *, console: bool = True) -> Callable[[], None]:
    """Set up logging by ``settings`` and return what ends it: the rest is written, the file closed.

    Calling it again replaces the former set-up. ``console``: write to stderr too. Raises ConfigurationError if
    LOG_FILE was set and cannot be written; the default file that cannot be written costs a warning only.
    """
    targets: list[logging.Handler] = [logging.StreamHandler()] if console else []
    complaint = _open_file(settings, targets)
    for target in targets:
        target.setFormatter(_formatter())
    root = logging.getLogger()
    for former in [one for one in root.handlers if isinstance(one, SafeQueueHandler)]:
        former.close()
    handler = SafeQueueHandler(targets, content=settings.log_content)
    root.addHandler(handler)
    root.setLevel(settings.log_level)
    content.allow(settings.log_content)
    for name in ("uvicorn", "uvicorn.access", "uvicorn.error"):
        _hand_over(logging.getLogger(name))
    if complaint:
        logger.warning("[Logs] File: %s", complaint)
    return handler.close


class SafeQueueHandler(QueueHandler):
    """Makes records safe where they arise, and hands them to a thread that writes them."""

    def __init__(self, targets: Sequence[logging.Handler], *, content: bool) -> None:
        records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        super().__init__(records)
        self.content = content
        self.targets = targets
        # Not `self.listener`: Python 3.12 has an attribute of this name.
        self.writer: QueueListener | None = QueueListener(records, *targets)
        self.writer.start()
        atexit.register(self.close)

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep what is ours, and of others what is serious."""
        ours = self.content or record.levelno >= logging.WARNING or _OWN.match(record.name) is not None
        return ours and bool(super().filter(record))

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """A copy with its message made and its traceback rendered: what they hold may change after this call."""
        record = copy.copy(record)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            message = f"{record.msg} (the arguments do not fit)"
        if record.name == "asyncio" and not self.content:
            # Its further lines hold the repr of tasks, and that the messages of their errors.
            message = message.partition("\n")[0]
        record.msg = record.message = _CONTROL.sub(_escaped, message)
        record.args = None
        # Another handler may have left the full text here.
        record.exc_text = None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = "\n".join(_rendered(record.exc_info[1], content=self.content))
        record.exc_info = None
        return record

    def close(self) -> None:
        """Take no more records, write those that came, and close the targets. Can be called twice."""
        if self.writer is None:
            return
        logging.getLogger().removeHandler(self)
        self.writer.stop()
        self.writer = None
        for target in self.targets:
            target.close()
        atexit.unregister(self.close)
        super().close()


class LogFile(RotatingFileHandler):
    """The log file, for its owner alone. Where it was moved away, as logrotate and other servers do, it begins anew.

    One that cannot be written is told once on stderr, and is written again once it can be.
    """

    _is_failing = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record to the file that has the name now."""
        failed, self._is_failing = self._is_failing, False
        if self.stream is not None and not self._is_in_place(self.stream.fileno()):
            with suppress(OSError):
                self.stream.close()
            # What comes next opens it.
            self.stream = None
        super().emit(record)
        if self._is_failing and not failed and sys.stderr is not None:
            with suppress(OSError, ValueError):
                sys.stderr.write(f"{self.baseFilename} cannot be written: the log goes on there once it can.\n")

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing of the record: this is called for each while the disk is full."""
        self._is_failing = True

    def close(self) -> None:
        """Let go of the file, also where its last lines cannot be written."""
        with suppress(OSError):
            super().close()

    def _open(self) -> Any:
        path = Path(self.baseFilename)
        stream = path.open(self.mode, encoding=self.encoding, errors=self.errors)
        path.chmod(0o600)
        return stream

    def _is_in_place(self, file: int) -> bool:
        try:
            return os.path.samestat(Path(self.baseFilename).stat(), os.fstat(file))
        except OSError:
            return False


def _open_file(settings: Settings, targets: list[logging.Handler]) -> str:
    """Add the file to ``targets``, or say why there is none."""
    path = settings.log_file or settings.data_dir / "logs" / "app.log"
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        targets.append(LogFile(path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8"))
    except OSError as error:
        complaint = f"{path} cannot be written ({error.strerror})"
        if settings.log_file is not None:
            example = Path("data") / "logs" / "app.log"
            raise ConfigurationError(f"LOG_FILE: {complaint}. Example: LOG_FILE={example}", param="LOG_FILE") from error
        return f"{complaint}, so the log goes to the console only. Make DATA_DIR writable, or set LOG_FILE"
    return ""


def _formatter() -> logging.Formatter:
    formatter = logging.Formatter(_LINE)
    formatter.converter = time.gmtime
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    formatter.default_msec_format = "%s.%03dZ"
    return formatter


def _hand_over(named: logging.Logger) -> None:
    """Let a logger that brings handlers of its own write through ours."""
    named.handlers.clear()
    named.propagate = True


def _escaped(found: re.Match[str]) -> str:
    """A control character in writing, so that no text can begin a line of the log."""
    return found[0].encode("unicode_escape").decode("ascii")


def _rendered(error: BaseException, *, content: bool, seen: frozenset[int] = frozenset()) -> Iterator[str]:
    """The traceback, causes first. Frames come without source lines: reading those would be disk access."""
    seen |= {id(error)}
    if error.__cause__ is not None and id(error.__cause__) not in seen:
        yield from _rendered(error.__cause__, content=content, seen=seen)
        yield "which caused:"
    elif error.__context__ is not None and not error.__suppress_context__ and id(error.__context__) not in seen:
        yield from _rendered(error.__context__, content=content, seen=seen)
        yield "during whose handling came:"
    for frame, line in walk_tb(error.__traceback__):
        yield f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_qualname}'
    yield _told(error, content=content)
    if isinstance(error, BaseExceptionGroup):
        for number, one in enumerate(error.exceptions, 1):
            yield f"  with error {number} of {len(error.exceptions)}:"
            yield from (f"  {line}" for line in _rendered(one, content=content, seen=seen))


def _told(error: BaseException, *, content: bool) -> str:
    """The error's type, and its message where it may be shown."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if content or isinstance(error, _TOLD):
        try:
            message = str(error)
        except Exception as failed:  # noqa: BLE001 - the error of a stranger may raise whatever it likes
            message = f"(its message raises {type(failed).__name__})"
        return f"{kind}: {_CONTROL.sub(_escaped, message)}"
    if isinstance(error, OSError) and error.strerror and type(error.errno) is int:
        return f"{kind}: [Errno {error.errno}] {error.strerror}"
    return kind

"""The folder of one run: ``work`` (the program's own), ``figures`` and ``tmp``. Nothing here follows a link."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Mark = tuple[int, int, int, int]
"""Device, inode, size and the time of the last change, which no program can set."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What a run left: files by name, and what could not be taken along. ``deleted`` are names of given files."""

    changed: list[tuple[str, bytes]]
    figures: list[tuple[str, bytes]]
    deleted: list[str]
    left_out: list[str]


class Folder:
    """The folder at ``root``, with all that is put into it and taken out."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.work = f"{root}/work"
        self.figures = f"{root}/figures"
        self.tmp = f"{root}/tmp"
        self._given: dict[str, Mark] = {}

    def make(self) -> None:
        """Make the three folders."""
        for path in (self.work, self.figures, self.tmp):
            Path(path).mkdir(mode=0o700)

    def put(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write the files that the program is given. Raises OSError where they do not fit."""
        for name, content in files:
            path = Path(self.work, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            self._given[name] = _mark(path.stat())

    def is_over(self, limits: Mapping[str, Any], held: int = 0) -> bool:
        """Whether there are more files or bytes than allowed, or folders too deep to be looked into.

        ``held`` are bytes of files that are open and have no name any more.
        """
        used = held
        for count, entry in enumerate(_walk(self.root, limits), 1):
            if entry is None:
                return True
            # A program may enter one file often, by hard links where those can be made: it is counted as often.
            used += entry.st_blocks * 512
            if count > limits["files"] or used > limits["disk"]:
                return True
        return False

    def is_full(self) -> bool:
        """Whether nothing more can be written where the folder lies."""
        return os.statvfs(self.root).f_bavail == 0

    def collect(self, limits: Mapping[str, Any]) -> Collected:
        """The new and the changed files, and the figures, as far as the limits go."""
        allowance = _Allowance(limits["out_files"], limits["out_bytes"])
        figures = [(name, path) for name, path, _ in _regular(self.figures, limits) if "/" not in name]
        present = _regular(self.work, limits)
        changed = [(name, path) for name, path, status in present if self._given.get(name) != _mark(status)]
        return Collected(
            # By their numbers, of which the last ones are left out.
            figures=allowance.take(sorted(figures, key=lambda figure: (len(figure[0]), figure[0]))),
            changed=allowance.take(sorted(changed)),
            deleted=sorted(name for name in self._given if not _is_file(f"{self.work}/{name}")),
            left_out=allowance.left_out[: limits["out_files"]],
        )


class _Allowance:
    def __init__(self, files: int, size: int) -> None:
        self._files = files
        self._bytes = size
        self.left_out: list[str] = []

    def take(self, files: Iterable[tuple[str, str]]) -> list[tuple[str, bytes]]:
        taken = []
        for name, path in files:
            content = _content(path, self._bytes) if self._files > 0 else None
            if content is None:
                self.left_out.append(name)
                continue
            self._files -= 1
            self._bytes -= len(content)
            taken.append((name, content))
        return taken


def _is_file(path: str) -> bool:
    """Whether there is a regular file, and not a folder that took its place."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _content(path: str, limit: int) -> bytes | None:
    """What a regular file holds; None if it is longer, cannot be read, or is no such file after all."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            return None
        content = file.read(limit + 1)
    return content if len(content) <= limit else None


def _regular(top: str, limits: Mapping[str, Any]) -> Iterator[tuple[str, str, os.stat_result]]:
    """Regular files below ``top`` as name, path and status, without hidden ones and compiled modules.

    A program may have put a file in the place of a folder, or made folders too deep to be looked into: then these are
    those that were found until then.
    """
    with contextlib.suppress(OSError):
        for path, status in _entries(top, limits):
            name = path[len(top) + 1 :]
            parts = name.split("/")
            hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
            if stat.S_ISREG(status.st_mode) and not hidden:
                yield name, path, status


def _walk(top: str, limits: Mapping[str, Any]) -> Iterator[os.stat_result | None]:
    """The status of everything below ``top``; None for what cannot be looked into."""
    try:
        for _, status in _entries(top, limits):
            yield status
    except OSError:
        yield None


def _entries(top: str, limits: Mapping[str, Any]) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below ``top``, at most one more than the limit. What vanishes meanwhile is left out.

    Raises OSError for folders deeper than allowed: the way to each entry is as long as it is deep, and to look at all
    of a deep chain takes so many seconds that no other limit is held meanwhile.
    """
    waiting, left = [top], limits["files"] + 1
    while waiting:
        folder = waiting.pop()
        if folder.count("/") - top.count("/") > limits["depth"]:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        try:
            with _opened(folder) as entries:
                for entry in entries:
                    if left <= 0:
                        return
                    left -= 1
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(entry.path)
                    yield entry.path, status
        except FileNotFoundError:
            continue


def _opened(folder: str) -> Any:
    """The folder's entries; one that a program has closed is opened to its owner again, also one that only lists."""
    if not os.access(folder, os.R_OK | os.X_OK):
        Path(folder).chmod(0o700)
    return os.scandir(folder)


def _mark(status: os.stat_result) -> Mark:
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns

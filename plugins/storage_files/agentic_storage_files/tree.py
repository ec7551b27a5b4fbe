"""Where keys lie on the disk, and which lie there.

``a/b`` is the document ``a/b.json`` and the log ``a/b.jsonl`` below the root, but for three parts of the tree that have
folders of their own: users, and each user's conversations and sessions.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agentic_storage_files.names import GOES_ON, names_of, text_of

DOCUMENT = ".json"
LOG = ".jsonl"
NEW = ".new"
SPACES = "spaces"
USERS = "users"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key's document and log lie, or would lie."""

    folder: Path
    stem: str

    @property
    def document(self) -> Path:
        """The file of the document."""
        return self.folder / (self.stem + DOCUMENT)

    @property
    def log(self) -> Path:
        """The file of the log."""
        return self.folder / (self.stem + LOG)


def being_written(path: Path) -> Path:
    """The file that will take the place of ``path``; one that a crash has left is overwritten by the next."""
    return path.with_name(f".{path.name}{NEW}")


@dataclass(frozen=True, slots=True)
class Found:
    """A key that is there, and what it holds."""

    key: str
    place: Place
    has_document: bool
    has_log: bool


class Tree:
    """All keys below a root and three other folders. ``places`` has those of each user, by the key's third part."""

    def __init__(self, root: Path, users: Path, places: Mapping[str, Path]) -> None:
        self.root = root
        self.users = users
        self.places = dict(places)

    @property
    def roots(self) -> Sequence[Path]:
        """The folders that are never removed."""
        return (self.root, self.users, *self.places.values())

    def place(self, key: str) -> Place:
        """Where the key lies."""
        *folders, last = key.split("/")
        *more, stem = names_of(last)
        return Place(self._folder(folders).joinpath(*more), stem)

    def found(self, prefix: str, after: str | None = None) -> Iterator[Found]:
        """The keys under a prefix and behind ``after``, in order, reading no folder that this does not need.

        The heap holds what may come next: a key, or a folder by what all keys within begin with. So the smallest is
        either the next key, or the only folder in which that may be.
        """
        heap: list[tuple[str, str, Found | Path]] = [(prefix, "", self.folder(prefix))]
        while heap:
            start, _, found = heapq.heappop(heap)
            if isinstance(found, Found):
                if after is None or start > after:
                    yield found
            elif after is None or start > after or after.startswith(start):
                for one in self._entries(start, found):
                    heapq.heappush(heap, one)

    def folder(self, prefix: str) -> Path:
        """The folder of all keys under the prefix. Raises ValueError for what is no prefix."""
        if prefix and not prefix.endswith("/"):
            raise ValueError(f"a prefix ends in '/': {prefix!r}")
        return self._folder(prefix.split("/")[:-1])

    def folders(self, prefix: str) -> Iterator[Path]:
        """All folders under a prefix, each before the one that it lies in, and its own at last."""
        yield from self._below(prefix, self.folder(prefix))

    def _below(self, start: str, folder: Path) -> Iterator[Path]:
        for below, _, found in list(self._entries(start, folder)):
            if isinstance(found, Path):
                yield from self._below(below, found)
        yield folder

    def _folder(self, parts: Sequence[str]) -> Path:
        folder = self.root
        if parts and parts[0] == USERS:
            folder, parts = self.users, parts[1:]
        elif len(parts) > 2 and parts[0] == SPACES and parts[2] in self.places and len(names_of(parts[1])) == 1:
            folder, parts = self.places[parts[2]] / names_of(parts[1])[0], parts[3:]
        return folder.joinpath(*(name for part in parts for name in names_of(part)))

    def _entries(self, start: str, folder: Path) -> Iterator[tuple[str, str, Found | Path]]:
        """What lies in a folder: keys, and the folders below it, each with what the keys within begin with."""
        files: dict[str, set[str]] = {}
        below = dict(self._elsewhere(start))
        for name in _names_in(folder):
            stem, dot, ending = name.partition(".")
            text = text_of(stem)
            if text is None:
                continue
            if dot + ending in (DOCUMENT, LOG) and not stem.endswith(GOES_ON):
                files.setdefault(stem, set()).add(dot + ending)
            elif not dot:
                below[f"{start}{text}" + ("" if stem.endswith(GOES_ON) else "/")] = folder / name
        for stem, endings in files.items():
            key = f"{start}{text_of(stem)}"
            yield key, "", Found(key, Place(folder, stem), DOCUMENT in endings, LOG in endings)
        for within, path in below.items():
            yield within, str(path), path

    def _elsewhere(self, start: str) -> Iterator[tuple[str, Path]]:
        """The folders that belong into this one and lie elsewhere."""
        parts = start.split("/")[:-1]
        if start and not start.endswith("/"):
            # The folder of a part that goes on.
            return
        if not parts:
            yield f"{USERS}/", self.users
            if any(map(_names_in, self.places.values())):
                yield f"{SPACES}/", self.root / SPACES
        elif parts == [SPACES]:
            for name in {name for place in self.places.values() for name in _names_in(place)}:
                text = None if "." in name or name.endswith(GOES_ON) else text_of(name)
                if text is not None:
                    yield f"{start}{text}/", self.root / SPACES / name
        elif len(parts) == 2 and parts[0] == SPACES and len(names_of(parts[1])) == 1:
            for part, place in self.places.items():
                yield f"{start}{part}/", place / names_of(parts[1])[0]


def _names_in(folder: Path) -> list[str]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return [entry.name for entry in entries]
    return []

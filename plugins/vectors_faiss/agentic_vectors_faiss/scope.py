"""What is held in memory of one scope, kept up with its folder, which other processes may change."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentic import Hit
from agentic_vectors_faiss.beside import Beside
from agentic_vectors_faiss.disk import About, Disk, Stamp
from agentic_vectors_faiss.rows import Rows

AT_ONCE = 8_000_000
"""Bytes of rows that are read before they are moved into the index."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A document as it was when the scope was last looked at."""

    stamp: Stamp
    about: About


class Index:
    """The rows of one embedder, and the stamps of the files that they come from."""

    def __init__(self, dimensions: int, beside: Beside) -> None:
        self.rows = Rows(dimensions, beside)
        self.stamps: dict[str, Stamp] = {}
        self.ids: list[str] = []
        """The documents' own ids, in the order of the rows."""
        self.looked: Stamp | None = None
        """The folder's stamp with which it was all that the folder has."""

    def forget(self, names: Collection[str]) -> None:
        """Remove documents."""
        self.rows.change(names, {})
        for name in names:
            del self.stamps[name]

    def take(self, come: Mapping[str, tuple[Any, Any]], stamps: Mapping[str, Stamp]) -> None:
        """Add documents, each with its numbers and rows."""
        self.rows.change((), come)
        self.stamps |= {name: stamps[name] for name in come}


class Scope:
    """One scope's documents and indexes. Its methods block, and wait for one another."""

    def __init__(self, disk: Disk, scope: str, beside: Beside) -> None:
        self._disk = disk
        self._beside = beside
        self._scope = scope
        self._place = disk.place(scope)
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._entries: dict[str, Entry] = {}
        self._indexes: dict[tuple[str, int], Index] = {}
        self.size = 0
        """About how many bytes of memory it takes."""

    def documents(self) -> Mapping[str, str]:
        """The id of each document, with that of its embedder."""
        with self._lock:
            self._look()
            return {entry.about.doc_id: entry.about.embedder for entry in self._entries.values()}

    def search(
        self, vector: Any, k: int, doc_ids: Sequence[str] | None, *, embedder: str, dimensions: int
    ) -> Sequence[Hit]:
        """The nearest pieces among this embedder's documents."""
        with self._lock:
            self._look()
            index = self._loaded(embedder, dimensions)
            places = None if doc_ids is None else _places(index.ids, set(doc_ids))
            hits = [
                Hit(index.ids[place], number, score) for place, number, score in index.rows.search(vector, k, places)
            ]
            self.size = sum(index.rows.size for index in self._indexes.values())
            return hits

    def _look(self) -> None:
        """Look at the folder again if it was changed."""
        stamp = self._disk.stamp(self._place)
        if stamp == self._stamp and stamp:
            return
        entries = {}
        for name, of_file in self._disk.scan(self._scope).items():
            known = self._entries.get(name)
            if known is not None and known.stamp == of_file:
                entries[name] = known
            elif about := self._disk.about(self._scope, name):
                entries[name] = Entry(of_file, about)
        self._entries = entries
        self._stamp = stamp

    def _loaded(self, embedder: str, dimensions: int) -> Index:
        """The rows of this embedder, as the folder has them."""
        key = (embedder, dimensions)
        index = self._indexes.get(key) or Index(dimensions, self._beside)
        # Past this, each search would compare every document's stamp, which takes longer than to search a few.
        if index.looked is not None and index.looked == self._stamp:
            return index
        wanted = {
            name: entry.stamp
            for name, entry in self._entries.items()
            if (entry.about.embedder, entry.about.dimensions) == key
        }
        if index.stamps != wanted:
            self._catch_up(index, wanted, key)
        index.ids = [self._entries[name].about.doc_id for name in index.rows.documents]
        index.looked = self._stamp if index.stamps == wanted else None
        if wanted:
            self._indexes[key] = index
        else:
            self._indexes.pop(key, None)
        return index

    def _catch_up(self, index: Index, wanted: Mapping[str, Stamp], key: tuple[str, int]) -> None:
        """Read what has come or changed, some megabytes at a time, so that no row is in memory twice for long."""
        index.forget({name for name, stamp in index.stamps.items() if wanted.get(name) != stamp})
        index.rows.make_room(sum(self._entries[name].about.rows for name in wanted))
        come: dict[str, tuple[Any, Any]] = {}
        for name in sorted(wanted.keys() - index.stamps.keys()):
            found = self._disk.rows(self._scope, name)
            # Gone, or another's by now: the folder's stamp has changed too, and the next search sees to it.
            if found is not None and (found[0].embedder, found[0].dimensions) == key:
                come[name] = found[1:]
            if sum(rows.nbytes for _, rows in come.values()) > AT_ONCE:
                index.take(come, wanted)
                come = {}
        index.take(come, wanted)


def _places(ids: Sequence[str], wanted: set[str]) -> list[int]:
    return [place for place, doc_id in enumerate(ids) if doc_id in wanted]

"""One scope in Chroma: a collection of rows for each embedder, and one that says which rows count.

Chroma writes rows in batches that a crash may cut. So each version of a document has a mark of its own, rows are
written under it first, and a single record of the document names the mark that counts: it makes a version valid.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agentic import Hit

SPACE = {"hnsw": {"space": "cosine", "ef_construction": 200, "ef_search": 200, "max_neighbors": 32}}
PAGE = 1000
GROWTH = 4
TRIES = 20
"""How often a search is made anew because documents are being replaced meanwhile."""
_SCOPE = re.compile(r"[A-Za-z0-9_.-]{1,120}")


def checked(scope: str) -> str:
    """The scope. Raises ValueError for what is none."""
    if not _SCOPE.fullmatch(scope):
        raise ValueError(f"a scope has 1 to 120 letters, digits, '_', '-' and '.': {scope!r}")
    return scope


class Scope:
    """What Chroma holds of one scope; its methods block and raise what Chroma raises."""

    def __init__(self, client: Any, scope: str) -> None:
        self._client = client
        self._scope = scope
        self._records = f"documents-{_digest(scope)}"
        self.is_dropped = False

    def add(self, doc_id: str, embedder: str, numbers: Sequence[int], rows: Any) -> None:
        """Store rows under a new mark, make it the one that counts, and remove those that counted before."""
        document, mark = _digest(doc_id), secrets.token_hex(8)
        told = {"scope": self._scope, "embedder": json.dumps(embedder), "dimensions": rows.shape[1]}
        into = self._made(self._rows_of(embedder, rows.shape[1]), told)
        records = self._made(self._records, {"scope": self._scope})
        before = _metadatas(records.get(ids=[document], include=["metadatas"]))
        most = self._client.get_max_batch_size()
        try:
            for start in range(0, len(numbers), most):
                part = range(start, min(start + most, len(numbers)))
                into.add(
                    ids=[f"{mark}-{n}" for n in part],
                    embeddings=rows[start : start + most],
                    metadatas=[{"document": document, "mark": mark, "number": numbers[n]} for n in part],
                )
            record = {"id": json.dumps(doc_id), "embedder": told["embedder"], "mark": mark, "rows": len(numbers)}
            records.upsert(ids=[document], embeddings=[[1.0]], metadatas=[record])
        except BaseException:
            into.delete(where={"mark": mark})
            raise
        for collection in self._collections() if before else ():
            collection.delete(where={"$and": [{"document": document}, {"mark": {"$ne": mark}}]})

    def delete(self, doc_id: str, *, alone: bool = False) -> int:
        """Remove the document's record and then its rows; how many those that counted were.

        With the last document all of the scope goes, so that nothing of it stays in files, where ``alone``: no other
        process may add a document meanwhile.
        """
        document = _digest(doc_id)
        records = self._found(self._records)
        if records is None:
            return 0
        record = _metadatas(records.get(ids=[document], include=["metadatas"]))
        records.delete(ids=[document])
        for collection in self._collections():
            collection.delete(where={"document": document})
        if alone and not records.count():
            self.drop()
        return sum(int(one["rows"]) for one in record)

    def search(self, embedder: str, vector: Any, k: int, doc_ids: Sequence[str] | None) -> Sequence[Hit]:
        """The nearest pieces, as far as Chroma's index finds them."""
        records, rows = self._found(self._records), self._found(self._rows_of(embedder, len(vector)))
        if records is None or rows is None or k <= 0 or (doc_ids is not None and not doc_ids):
            return []
        where = {"where": {"document": {"$in": [_digest(doc_id) for doc_id in set(doc_ids)]}}} if doc_ids else {}
        depth, tries = 4 * k + 16, TRIES
        while True:
            answer = rows.query(query_embeddings=[vector], n_results=depth, include=["metadatas", "distances"], **where)
            rows_found = list(zip(answer["metadatas"][0], answer["distances"][0], strict=True))
            # Of a row that goes while it is being found, a server tells nothing but where it was.
            found = [(one, distance) for one, distance in rows_found if one]
            counting = {one["mark"]: json.loads(one["id"]) for one in _counting(records, found)}
            tries -= 1
            is_whole = len(found) == len(rows_found) and counting.keys() <= {one["mark"] for one, _ in found}
            if tries and not is_whole:
                # A document was replaced or removed since its rows were found.
                continue
            hits = _pieces(found, counting)[:k]
            if len(hits) == k or len(rows_found) < depth:
                return hits
            # Several rows of the same pieces, or rows that do not count, were in the way.
            depth *= GROWTH

    def documents(self) -> Mapping[str, str]:
        """The id of each document, with that of its embedder."""
        return {json.loads(one["id"]): json.loads(one["embedder"]) for one in self._all_records()}

    def drop(self) -> int:
        """Remove all collections of the scope; how many rows counted."""
        count = sum(int(one["rows"]) for one in self._all_records())
        if self._found(self._records) is not None:
            self._client.delete_collection(self._records)
        for collection in list(self._collections()):
            self._client.delete_collection(collection.name)
        self.is_dropped = True
        return count

    def _all_records(self) -> list[Any]:
        records = self._found(self._records)
        found: list[Any] = []
        while records is not None:
            page = _metadatas(records.get(limit=PAGE, offset=len(found), include=["metadatas"]))
            found += page
            if len(page) < PAGE:
                break
        return found

    def _collections(self) -> Iterable[Any]:
        """The scope's collections of rows."""
        for collection in every_collection(self._client):
            told = collection.metadata or {}
            if told.get("scope") == self._scope and "embedder" in told:
                yield collection

    def _made(self, name: str, told: Mapping[str, Any]) -> Any:
        return self._client.get_or_create_collection(
            name, metadata=dict(told), configuration=SPACE, embedding_function=None
        )

    def _found(self, name: str) -> Any:
        from chromadb.errors import NotFoundError

        try:
            return self._client.get_collection(name, embedding_function=None)
        except NotFoundError:
            return None

    def _rows_of(self, embedder: str, dimensions: int) -> str:
        return f"rows-{_digest(self._scope, embedder, str(dimensions))}"


def every_collection(client: Any) -> Iterable[Any]:
    """All collections, a page at a time."""
    offset = 0
    while page := client.list_collections(limit=PAGE, offset=offset):
        yield from page
        offset += len(page)


def scopes(client: Any) -> list[str]:
    """Every scope that holds a document, in order."""
    found = []
    for collection in every_collection(client):
        scope = (collection.metadata or {}).get("scope")
        if scope and collection.name == f"documents-{_digest(scope)}" and collection.count():
            found.append(str(scope))
    return sorted(found)


def _counting(records: Any, found: Iterable[tuple[Any, float]]) -> list[Any]:
    """The records of the documents whose rows were found: they name the marks that count."""
    documents = sorted({one["document"] for one, _ in found})
    return _metadatas(records.get(ids=documents, include=["metadatas"])) if documents else []


def _pieces(found: Iterable[tuple[Any, float]], counting: Mapping[str, str]) -> list[Hit]:
    """Each piece once, by its nearest row, of the rows that count."""
    best: dict[tuple[str, int], float] = {}
    for one, distance in found:
        if one["mark"] in counting:
            best.setdefault((counting[one["mark"]], int(one["number"])), 1 - float(distance))
    return [Hit(doc_id, number, score) for (doc_id, number), score in best.items()]


def _metadatas(answer: Any) -> list[Any]:
    return list(answer["metadatas"] or [])


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:40]

"""How well the questions are answered: by full text, by vectors, by both, and as the tool gives it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentic import Hit
from agentic_rag import ranking
from agentic_rag.chunks import Chunk
from agentic_rag.records import Records
from agentic_rag.search import search
from bench.retrieval.library import Library
from bench.retrieval.questions import Question

TOP = 5
WAYS = ("full text", "vectors", "hybrid", "hybrid, as passages")


@dataclass(slots=True)
class Outcome:
    """A question asked one way: the place of the first hit that holds the answer (0: none), and of its document."""

    question: Question
    way: str
    place: int
    document_place: int
    characters: int = 0


async def outcomes(library: Library, questions: Sequence[Question]) -> list[Outcome]:
    """Every question, asked in every way."""
    chunks = await _chunks(library)
    found = []
    for question in questions:
        found += await _asked(library, question, chunks)
    return found


def table(found: Sequence[Outcome]) -> list[str]:
    """A row for each way: recall and document recall in the first five, and the mean of 1/place, for both halves."""
    rows = [f"{'':22}{'recall@5':>26}{'document recall@5':>28}{'MRR':>7}"]
    rows += [f"{'':22}{'dev':>8}{'test':>9}{'all':>9}{'dev':>10}{'test':>9}{'all':>9}{'all':>7}"]
    for way in WAYS:
        of_way = [one for one in found if one.way == way]
        halves = [[one for one in of_way if one.question.half == half] for half in ("dev", "test")]
        recalls = [_share(one.place for one in part) for part in (*halves, of_way)]
        documents = [_share(one.document_place for one in part) for part in (*halves, of_way)]
        mrr = sum(1 / one.place for one in of_way if one.place) / len(of_way)
        cells = [f"{recalls[0]:8.3f}", *(f"{one:9.3f}" for one in recalls[1:])]
        cells += [f"{documents[0]:10.3f}", *(f"{one:9.3f}" for one in documents[1:]), f"{mrr:7.3f}"]
        rows.append(f"{way:22}{''.join(cells)}")
    return rows


def characters(found: Sequence[Outcome]) -> float:
    """How long all passages of an answer of the tool are together, on average."""
    of_way = [one.characters for one in found if one.way == WAYS[-1]]
    return sum(of_way) / max(1, len(of_way))


async def refused(library: Library, texts: Sequence[str]) -> float:
    """The part of these questions for which nothing is found."""
    answers = [await search(text, library.space, top_k=TOP) for text in texts]
    return sum(not answer.passages for answer in answers) / max(1, len(answers))


async def _asked(library: Library, question: Question, chunks: dict[tuple[str, int], Chunk]) -> list[Outcome]:
    space = library.space
    (vector,) = await space.current_embedder.embed([question.text], "query")
    vectors, texts = await space.vectors(), space.texts()
    near = await vectors.search(vector, ranking.LOOKED_AT)
    words = await texts.search(question.text, ranking.LOOKED_AT)
    both = [Hit(one.doc_id, one.number, one.score) for one in ranking.blend(near, words)]
    made = []
    for way, hits in (("full text", words), ("vectors", near), ("hybrid", both)):
        holding = [_holds(chunks[hit.doc_id, hit.number], hit.doc_id, question) for hit in hits]
        ofs = [hit.doc_id == question.document for hit in hits]
        made.append(Outcome(question, way, _first(holding), _first(ofs)))
    passages = (await search(question.text, space, top_k=TOP)).passages
    holding = [
        one.document_id == question.document and one.start <= question.start and question.end <= one.end
        for one in passages
    ]
    ofs = [one.document_id == question.document for one in passages]
    length = sum(len(one.text) for one in passages)
    made.append(Outcome(question, WAYS[-1], _first(holding), _first(ofs), length))
    return made


async def _chunks(library: Library) -> dict[tuple[str, int], Chunk]:
    records = Records(library.space.storage)
    keys = [(record.id, number) for record in await records.all() for number in range(record.chunks)]
    found = await asyncio.gather(*(records.chunk(*key) for key in keys))
    return {key: chunk for key, chunk in zip(keys, found, strict=True) if chunk is not None}


def _holds(chunk: Chunk, doc_id: str, question: Question) -> bool:
    return doc_id == question.document and chunk.start <= question.start and question.end <= chunk.end


def _first(marks: Sequence[bool]) -> int:
    return marks.index(True) + 1 if True in marks else 0


def _share(places: Iterable[int]) -> float:
    listed = [*places]
    return sum(0 < place <= TOP for place in listed) / max(1, len(listed))

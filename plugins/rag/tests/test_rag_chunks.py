"""How a document is cut: nothing is lost, and each part knows where it stands."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from pydantic import ValidationError

from agentic import Page
from agentic_rag.chunks import PIECE_SIZE, Chunk, pieces, split
from agentic_rag.settings import Settings


def prose(words: int, seed: int = 1) -> str:
    made = random.Random(seed)
    return " ".join(
        f"w{made.randrange(500)}" + ("." if made.random() < 0.1 else "") + ("\n\n" if made.random() < 0.02 else "")
        for _ in range(words)
    )


def test_nothing_but_space_gives_no_chunk() -> None:
    assert split([], 1000, 200) == []
    assert split([Page(""), Page(" \n\t\f ")], 1000, 200) == []


@pytest.mark.parametrize("size, overlap", [(1000, 200), (200, 0), (300, 150), (8000, 2000)])
def test_each_chunk_stands_where_it_says(size: int, overlap: int) -> None:
    pages = [Page(prose(700, seed), number=seed) for seed in (1, 2, 3)]
    text = "".join(page.text for page in pages)
    chunks = split(pages, size, overlap)
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end]
        assert 0 < len(chunk.text) <= size


def test_every_word_is_in_some_chunk_and_in_some_piece() -> None:
    pages = [Page(prose(900, 4)), Page(prose(30, 5), heading=("End",))]
    text = "".join(page.text for page in pages)
    chunks = split(pages, 1000, 200)
    covered = set()
    for chunk in chunks:
        covered |= set(range(chunk.start, chunk.end))
    assert all(place in covered or character.isspace() for place, character in enumerate(text))
    words = {word for piece in pieces(pages, chunks) for word in piece.text.split()}
    assert {word for page in pages for word in page.text.split()} <= words


def test_neighbouring_chunks_overlap_within_a_page() -> None:
    chunks = split([Page(" ".join(f"word{number}" for number in range(600)))], 1000, 200)
    for one, other in pairwise(chunks):
        assert 100 <= one.end - other.start <= 200


def test_a_chunk_has_the_page_and_the_headings_of_its_beginning() -> None:
    pages = [
        Page("Alpha. " * 150, number=1, heading=("Guide",)),
        Page("Beta. " * 200, number=2, heading=("Guide", "Part two")),
    ]
    chunks = split(pages, 1000, 200)
    assert {(chunk.page, chunk.heading) for chunk in chunks if "Alpha" in chunk.text[:10]} == {(1, ("Guide",))}
    assert {(chunk.page, chunk.heading) for chunk in chunks if "Beta" in chunk.text[:10]} == {
        (2, ("Guide", "Part two"))
    }


def test_long_sections_are_cut_at_their_ends_and_short_ones_are_put_together() -> None:
    long = split([Page("a " * 400), Page("b " * 400)], 1000, 200)
    assert all("a" not in chunk.text or "b" not in chunk.text for chunk in long)
    assert len(split([Page("First.\n"), Page("Second.\n"), Page("Third.\n")], 1000, 200)) == 1


def test_numbered_pages_are_never_put_together_however_short_they_are() -> None:
    slides = [Page(f"Slide {number}.", number=number) for number in (1, 2, 3)]
    chunks = split(slides, 1000, 200)
    assert [(chunk.text, chunk.page) for chunk in chunks] == [("Slide 1.", 1), ("Slide 2.", 2), ("Slide 3.", 3)]
    assert [part.numbers for part in pieces(slides, chunks)] == [(0,), (1,), (2,)]


def test_form_feeds_in_a_text_do_not_shift_anything() -> None:
    pages = [Page("one\ftwo " * 300), Page("three\f" * 300, number=2)]
    text = "".join(page.text for page in pages)
    assert all(chunk.text == text[chunk.start : chunk.end] for chunk in split(pages, 300, 50))


@pytest.mark.parametrize("overlap", [0, 200, 500])
def test_each_chunk_has_pieces_and_each_piece_a_chunk_that_holds_most_of_it(overlap: int) -> None:
    pages = [Page(prose(800, 7)), Page("Short."), Page(prose(40, 8)), Page("x" * 5000)]
    chunks = split(pages, 1000, overlap)
    parts = pieces(pages, chunks)
    assert {number for part in parts for number in part.numbers} == {chunk.number for chunk in chunks}
    assert all(0 < len(part.text) <= 1000 for part in parts)
    assert sum(len(part.text) <= PIECE_SIZE for part in parts) >= len(parts) - len(chunks)


def test_text_in_which_chunks_overlap_is_embedded_once() -> None:
    pages = [Page(" ".join(f"word{number}" for number in range(2000)))]
    chunks = split(pages, 1000, 500)
    parts = pieces(pages, chunks)
    assert sum(len(part.text) for part in parts) <= len(pages[0].text)
    assert any(len(part.numbers) > 1 for part in parts)


def test_a_chunk_is_the_same_after_it_was_stored() -> None:
    chunk = Chunk(number=3, text="x", start=5, end=6, page=2, heading=("A", "B"))
    assert Chunk.from_json(3, chunk.as_json()) == chunk


def test_an_overlap_of_more_than_half_a_chunk_is_refused() -> None:
    with pytest.raises(ValidationError, match="RAG_CHUNK_OVERLAP must be at most half of RAG_CHUNK_SIZE"):
        Settings(rag_chunk_size=400, rag_chunk_overlap=300)

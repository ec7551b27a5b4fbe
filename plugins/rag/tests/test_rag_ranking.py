"""Two lists of hits become one: what either finds alone counts, and neither scale drowns the other."""

from __future__ import annotations

import pytest

from agentic import Hit
from agentic_rag.ranking import LOOKED_AT, Ranked, blend


def hits(*scores: float, doc_id: str = "d") -> list[Hit]:
    return [Hit(doc_id, number, score) for number, score in enumerate(scores)]


def order(ranked: list[Ranked]) -> list[int]:
    return [one.number for one in ranked]


def test_nothing_and_one_hit_are_ranked() -> None:
    assert blend([], []) == []
    assert order(blend(hits(0.5), [])) == order(blend([], hits(3.0))) == [0]


def test_a_chunk_that_both_lists_hold_comes_before_those_of_one() -> None:
    near = [Hit("d", 1, 0.6), Hit("d", 2, 0.59), Hit("d", 9, 0.1)]
    words = [Hit("d", 3, 8.0), Hit("d", 2, 7.9)]
    assert order(blend(near, words))[0] == 2


def test_what_words_alone_find_is_not_lost() -> None:
    near = hits(*(0.5 - number / 1000 for number in range(LOOKED_AT)))
    assert ("other", 7) in [(one.doc_id, one.number) for one in blend(near, [Hit("other", 7, 12.0)])[:5]]


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1000.0])
def test_the_scale_of_a_list_does_not_matter(factor: float) -> None:
    near = hits(0.7, 0.5, 0.45, 0.4)
    words = [Hit("d", 3, 9 * factor), Hit("d", 1, 5 * factor), Hit("d", 0, 1 * factor)]
    assert order(blend(near, words)) == order(blend(near, [Hit(w.doc_id, w.number, w.score / factor) for w in words]))


def test_equal_scores_do_not_divide_by_nothing() -> None:
    assert order(blend(hits(0.5, 0.5, 0.5), hits(2.0, 2.0, 2.0))) == [0, 1, 2]
    assert order(blend(hits(0.0, 0.0), hits(0.0, 0.0))) == [0, 1]


def test_of_few_hits_by_words_the_best_does_not_outweigh_a_clear_nearest() -> None:
    near = hits(0.6, 0.2, 0.15, 0.1, 0.1, 0.05)
    assert order(blend(near, [Hit("d", 4, 0.9), Hit("d", 5, 0.85)]))[0] == 0

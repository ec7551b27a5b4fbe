"""Sums of sparse rows, packed into whole numbers."""

from __future__ import annotations

import random

import pytest

from agentic.fitness.sums import SPARSE, UNIT, Sums


def test_no_rows_sum_to_nothing() -> None:
    assert Sums({}, 0).of(["a"]) == []
    assert Sums({}, 3).of([]) == [0, 0, 0]


@pytest.mark.parametrize("crowded", [0, 3, 5])
@pytest.mark.parametrize("width", [5, SPARSE * 4])
def test_sum_of_rows_is_that_of_their_numbers_however_many_there_are(width: int, crowded: int) -> None:
    drawn = random.Random(5)
    rows = {
        str(n): {place: drawn.randrange(9 * UNIT) / UNIT for place in drawn.sample(range(width), size)}
        for n, size in enumerate([1, 2, 5, min(width, 70)])
    }
    expected = [UNIT * sum(row.get(place, 0) for row in rows.values()) for place in range(width)]
    assert Sums(rows, width, crowded).of([*rows, "unknown"]) == expected


def test_large_sum_does_not_spill_into_the_next_place() -> None:
    rows = Sums({str(n): {0: 5.0, 1: 1.0} for n in range(9_000)}, 2)
    assert rows.of(map(str, range(9_000))) == [45_000 * UNIT, 9_000 * UNIT]

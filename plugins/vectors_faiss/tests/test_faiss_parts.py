"""Rough copies in several parts, searched by several threads, find what a plain search finds."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy
import pytest

from agentic_vectors_faiss import coarse, rows
from agentic_vectors_faiss.beside import Beside
from agentic_vectors_faiss.coarse import UNKNOWN, Coarse
from agentic_vectors_faiss.part import Part
from agentic_vectors_faiss.rows import Rows
from agentic_vectors_faiss.store import FaissStore

MANY = 3_000
EXACT = 1e-5


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that large scopes do is done by small ones."""
    monkeypatch.setattr(rows, "COARSE_FROM", 300)
    monkeypatch.setattr(coarse, "APART", 1_000)


def unit(array: Any) -> Any:
    return (array / numpy.linalg.norm(array, axis=1, keepdims=True)).astype(numpy.float32)


def at_random(count: int, dimensions: int = 64, seed: int = 0) -> Any:
    return unit(numpy.random.default_rng(seed).standard_normal((count, dimensions)))


def of(array: Any) -> tuple[Any, Any]:
    return numpy.arange(len(array)), array


def assert_exact(rows: Rows, held: dict[str, Any], vector: Any, k: int) -> None:
    """That ``rows`` find what a plain search of what they should hold finds."""
    plain = {
        (name, number): float(score) for name, array in held.items() for number, score in enumerate(array @ vector)
    }
    found = rows.search(vector, k, None)
    best = pytest.approx(sorted(plain.values(), reverse=True)[:k], abs=EXACT)
    assert [score for _, _, score in found] == best
    assert [plain[rows.documents[place], number] for place, number, _ in found] == best


def sizes(rows: Rows) -> list[int]:
    assert rows._coarse is not None
    return [len(part) for part in rows._coarse._parts]


@pytest.mark.parametrize(("dimensions", "seed"), [(64, 0), (65, 1)])
def test_whatever_comes_and_goes_the_nearest_are_found(beside: Beside, dimensions: int, seed: int) -> None:
    chance = numpy.random.default_rng(seed)
    rows, held = Rows(dimensions, beside), dict[str, Any]()
    for turn in range(20):
        gone = [name for name in held if chance.random() < (0.9 if turn % 7 == 6 else 0.15)]
        come = {
            f"{turn}.{number}": at_random(
                int(chance.integers(1, 300)), dimensions, seed=1000 * seed + 10 * turn + number
            )
            for number in range(chance.integers(5))
        }
        rows.change(gone, {name: of(array) for name, array in come.items()})
        held = {name: array for name, array in held.items() if name not in gone} | come
        assert rows.documents == [*held]
        for number, array in enumerate(held.values()):
            if number % 5 == turn % 5:
                assert_exact(rows, held, array[int(chance.integers(len(array)))], int(chance.choice([1, 3, 40])))
        assert_exact(rows, held, at_random(1, dimensions, seed=turn)[0], 5)
        if rows._coarse is not None:
            places = numpy.concatenate([part.places for part in rows._coarse._parts])
            assert sorted(places.tolist()) == [*range(len(rows))], "each row is in one part"


def test_parts_are_of_one_size_and_made_where_there_are_many(two: Beside) -> None:
    rows, held = Rows(64, two), dict[str, Any]()
    for name, count, expected in (
        ("few", 600, [600]),
        ("more", 300, [900]),
        ("many", 101, [501, 500]),
        ("odd", 102, [552, 551]),
        ("one", 1, [552, 552]),
    ):
        held[name] = at_random(count, seed=count)
        rows.change((), {name: of(held[name])})
        assert_exact(rows, held, held[name][-1], 5)
        assert sizes(rows) == expected
    for name, expected in (("one", [552, 551]), ("few", [252, 251]), ("many", [402])):
        rows.change([name], {})
        del held[name]
        assert_exact(rows, held, held["odd"][-1], 5)
        assert sizes(rows) == expected, "fewer than half as many are in one part again"


def test_scope_that_shrinks_and_grows_again_loses_nothing(two: Beside) -> None:
    held = {"stays": at_random(40, seed=1), "goes": at_random(MANY, seed=2)}
    rows = Rows(64, two)
    rows.change((), {name: of(array) for name, array in held.items()})
    assert_exact(rows, held, held["goes"][7], 5)
    for turn in range(3):
        rows.change(["goes"], {})
        del held["goes"]
        assert_exact(rows, held, held["stays"][turn], 5)
        held["goes"] = at_random(800 + 700 * turn, seed=3 + turn)
        rows.change((), {"goes": of(held["goes"])})
        for vector in (*held["stays"][:5], *held["goes"][:5], *held["goes"][-5:]):
            assert_exact(rows, held, vector, 5)


def test_part_that_is_emptied_takes_new_rows(two: Beside) -> None:
    held = {str(number): array[None] for number, array in enumerate(at_random(1_400))}
    rows = Rows(64, two)
    rows.change((), {name: of(array) for name, array in held.items()})
    assert_exact(rows, held, held["3"][0], 5)
    for first, left in ((0, [0, 700]), (1, [700, 0])):
        gone = [name for name in held if not name.startswith("new") and int(name) % 2 == first]
        rows.change(gone, {})
        held = {name: array for name, array in held.items() if name not in gone}
        assert sizes(rows) == left
        for k in (5, 900):
            assert_exact(rows, held, next(iter(held.values()))[0], k)
        held[f"new{first}"] = at_random(700, seed=first + 1)
        rows.change((), {f"new{first}": of(held[f"new{first}"])})
        for vector in (*held[f"new{first}"][:40], *held[f"new{first}"][-40:]):
            assert_exact(rows, held, vector, 3)
    rows.change([*held], {})
    assert rows.search(at_random(1)[0], 5, None) == []


def near_every_second(count: int, near: int) -> Any:
    """Rows far from one another, but for some near the first one, all of which are in one of two parts."""
    array = at_random(count, seed=3)
    array[: 2 * near : 2] = unit(at_random(1, seed=1) + at_random(near, seed=2) * 0.5)
    return array


def test_rows_that_are_near_in_one_part_alone_are_all_found(two: Beside) -> None:
    """The other part's share of candidates is no measure of what this one has."""
    held = {"one": near_every_second(9_000, 500)}
    rows = Rows(64, two)
    rows.change((), {"one": of(held["one"])})
    for k in (1, 5, 300, 5, 100):
        assert_exact(rows, held, at_random(1, seed=1)[0], k)


def test_what_only_one_part_has_is_asked_for_at_once_the_next_time(
    two: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Rows(64, two)
    rows.change((), {"one": of(near_every_second(12_000, 500))})
    query = at_random(1, seed=1)[0]
    for _ in range(40):
        rows.search(query, 100, None)
    asked: list[int] = []
    best = Part.best

    def counted(self: Part, vector: Any, count: int) -> Any:
        asked.append(count)
        return best(self, vector, count)

    monkeypatch.setattr(Part, "best", counted)
    for _ in range(10):
        rows.search(query, 100, None)
    assert len(asked) < 30, "one look is enough nearly always"
    assert max(asked) < 3_000


@pytest.mark.parametrize("k", [1, 10, 5_000])
def test_rows_that_are_all_alike_are_found(beside: Beside, k: int) -> None:
    array = numpy.repeat(at_random(1), MANY, axis=0)
    rows = Rows(64, beside)
    rows.change((), {"one": of(array)})
    found = rows.search(array[0], k, None)
    assert len(found) == len({number for _, number, _ in found}) == min(k, MANY)
    assert [score for _, _, score in found] == pytest.approx([1.0] * len(found), abs=EXACT)


def test_piece_with_thousands_of_rows_leaves_room_for_others(beside: Beside) -> None:
    array = numpy.repeat(at_random(1), MANY, axis=0)
    rows = Rows(64, beside)
    rows.change((), {"one": (numpy.zeros(MANY, dtype=numpy.int64), array), "two": of(at_random(5, seed=9))})
    found = rows.search(array[0], 6, None)
    assert found[0][:2] == (0, 0)
    assert len(found) == 6


def test_vector_of_nothing_finds_as_many_as_asked_for(beside: Beside) -> None:
    rows = Rows(64, beside)
    rows.change((), {"one": of(at_random(MANY))})
    assert [score for _, _, score in rows.search(numpy.zeros(64, dtype=numpy.float32), 7, None)] == [0.0] * 7


def test_several_scopes_at_once_share_the_threads(two: Beside) -> None:
    held = [{"one": at_random(MANY, seed=seed)} for seed in range(4)]
    scopes = []
    for one in held:
        scopes.append(Rows(64, two))
        scopes[-1].change((), {"one": of(one["one"])})
    queries = at_random(60, seed=9)

    def search(number: int) -> None:
        for query in queries:
            assert_exact(scopes[number], held[number], query, 5)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(search, number) for number in range(4)]:
            done.result()
    assert len(two._started) == 1


def test_search_does_all_itself_while_the_threads_are_busy(two: Beside) -> None:
    rows, held = Rows(64, two), {"one": at_random(MANY)}
    rows.change((), {"one": of(held["one"])})
    begun, end = threading.Event(), threading.Event()

    def busy() -> None:
        begun.set()
        end.wait()

    holder = threading.Thread(target=lambda: two.do([begun.wait, busy]))
    holder.start()
    begun.wait()
    assert_exact(rows, held, at_random(1, seed=1)[0], 5)
    end.set()
    holder.join()
    assert_exact(rows, held, at_random(1, seed=2)[0], 5)


def test_what_a_part_raises_is_raised_by_the_search_and_the_next_one_finds(
    two: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, held = Rows(64, two), {"one": at_random(MANY)}
    rows.change((), {"one": of(held["one"])})
    best = Part.best
    for number in (0, 1):

        def failing(self: Part, vector: Any, count: int, failing: int = number) -> Any:
            if rows._coarse is not None and self is rows._coarse._parts[failing]:
                raise MemoryError("no room for candidates")
            return best(self, vector, count)

        with monkeypatch.context() as patched:
            patched.setattr(Part, "best", failing)
            with pytest.raises(MemoryError, match="no room"):
                rows.search(held["one"][0], 5, None)
        assert_exact(rows, held, held["one"][0], 5)


async def test_store_hands_its_threads_to_its_scopes_and_ends_them(tmp_path: Path) -> None:
    store = FaissStore(tmp_path)
    store._beside = Beside(1)
    for scope in ("a", "b"):
        vectors = store.collection(scope, embedder="e", dimensions=64)
        await vectors.add("doc", range(MANY), at_random(MANY))
        [hit] = await vectors.search(at_random(MANY)[7], 1)
        assert hit.number == 7
    assert [thread.name for thread in threading.enumerate()].count("vectors-beside") == 1
    await store.aclose()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("vectors")]


FORKING = """
import os, numpy
from agentic_vectors_faiss import coarse, rows
from agentic_vectors_faiss.beside import Beside, one_core
one_core()
coarse.APART, rows.COARSE_FROM = 1000, 300
array = numpy.random.default_rng(0).standard_normal((3000, 64), dtype=numpy.float32)
array /= numpy.linalg.norm(array, axis=1, keepdims=True)
beside = Beside(1)
held = rows.Rows(64, beside)
held.change((), {"one": (numpy.arange(3000), array)})
found = held.search(array[0], 5, None)
assert len(beside._started) == 1
child = os.fork()
if not child:
    assert held.search(array[0], 5, None) == found
    beside.close()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert held.search(array[0], 5, None) == found
"""


def test_forked_process_searches_without_the_threads_it_left_behind() -> None:
    subprocess.run([sys.executable, "-c", FORKING], check=True, timeout=60)


def test_parts_with_fewer_rows_than_are_asked_for_give_all_of_them(two: Beside) -> None:
    copies = Coarse(64, 1_500, two)
    array = at_random(1_500)
    copies.add(array)
    ids, rough, scores = copies.candidates(array[3], 2_000, lambda vector, ids: array[ids] @ vector)
    assert sorted(ids.tolist()) == [*range(1_500)], "all of them, where it is asked for more than there are"
    assert ids[rough.argmax()] == 3
    known = scores > UNKNOWN
    assert scores[known] == pytest.approx(array[ids[known]] @ array[3])

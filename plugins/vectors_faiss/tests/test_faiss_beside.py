"""Threads that help: what is handed to them is done once, by them or by the caller."""

from __future__ import annotations

import threading

import pytest

from agentic_vectors_faiss.beside import Beside


def test_failure_waits_for_what_the_others_still_do(two: Beside) -> None:
    """The scope is unlocked after it, and its rows may change."""
    begun, end, ended = threading.Event(), threading.Event(), threading.Event()

    def fail() -> None:
        begun.wait()
        threading.Timer(0.05, end.set).start()
        raise ValueError("mine")

    def slow() -> None:
        begun.set()
        end.wait()
        ended.set()

    with pytest.raises(ValueError, match="mine"):
        two.do([fail, slow])
    assert ended.is_set()


def test_results_are_in_the_order_of_the_work(beside: Beside) -> None:
    for _ in range(200):
        assert beside.do([lambda number=number: number for number in range(5)]) == [*range(5)]
    assert len(beside._started) == beside.most


def test_system_without_threads_to_give_is_searched_alone(two: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert two.do([lambda: 1, lambda: 2]) == [1, 2]
    assert two._started == []
    assert two.do([lambda: 1, lambda: 2]) == [1, 2]
    assert len(two._started) == 1, "it is tried again"


def test_closed_it_has_no_thread_and_the_caller_does_all() -> None:
    beside = Beside(3)
    assert beside.do([threading.get_ident] * 4)
    threads = [helper.thread for helper in beside._started]
    beside.close()
    assert threads
    assert not any(thread.is_alive() for thread in threads)
    assert set(beside.do([threading.get_ident] * 4)) == {threading.get_ident()}
    assert not beside._started

"""What is counted within a span of time, while the clock is set."""

from __future__ import annotations

import time

import pytest

from agentic.identity.windows import Failures, Requests

HOUR_S = 3600.0


class Clock:
    """The time of day, as somebody sets it."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self._true = time.time

    def time(self) -> float:
        return self._true() + self.ahead_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    return clock


def test_nobody_waits_for_a_clock_that_was_set_back(clock: Clock) -> None:
    requests, failures = Requests(), Failures(1, 300)
    assert requests.take("u-anna", 1) == 0
    assert requests.take("u-anna", 1) > 0
    failures.count("anna")
    assert failures.wait_s("anna") > 0
    clock.ahead_s = -HOUR_S
    assert (requests.take("u-anna", 1), failures.wait_s("anna")) == (0, 0)
    assert 1 <= requests.take("u-anna", 1) <= 60
    failures.count("anna")
    assert 1 <= failures.wait_s("anna") <= 300


@pytest.mark.parametrize("step_s", [-0.5, 0.5, 30.0])
def test_a_clock_that_is_set_a_little_forgives_nothing(clock: Clock, step_s: float) -> None:
    requests, failures = Requests(), Failures(1, 300)
    assert requests.take("u-anna", 1) == 0
    failures.count("anna")
    clock.ahead_s = step_s
    assert requests.take("u-anna", 1) > 0
    assert failures.wait_s("anna") > 0


def test_a_clock_that_was_set_forward_makes_room(clock: Clock) -> None:
    requests = Requests()
    assert requests.take("u-anna", 1) == 0
    clock.ahead_s = 61
    assert requests.take("u-anna", 1) == 0

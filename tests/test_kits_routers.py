"""The kit for routers passes what keeps its promises, and fails what breaks one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from agentic import Contest, Decision, Message, ModelError, Router
from agentic.testing.agent import TASKS
from agentic.testing.router import RouterConformance, make_contest
from agentic.testing.runs import make_task

REFUSED = (AssertionError, pytest.fail.Exception)


class Asks(Router):
    """Asks the model and follows it."""

    name = "asks"

    async def decide(self, contest: Contest) -> Decision | None:
        if len(contest.candidates) < 2:
            return None
        reply = await contest.model.complete([*contest.task.history, Message("user", contest.task.text)])
        return Decision(reply.text, "the model says so")


class TestAsks(RouterConformance):
    @pytest.fixture
    def router(self) -> Router:
        return Asks()

    @pytest.fixture
    def replies(self) -> Any:
        return ["planner"]


class Fixed(Router):
    """Chooses without a model."""

    name = "fixed"

    def __init__(self, agent: str = "talker", reason: str = "always") -> None:
        self.decision = Decision(agent, reason)

    async def decide(self, contest: Contest) -> Decision | None:
        return self.decision if len(contest.candidates) > 1 else None


class TestFixed(RouterConformance):
    @pytest.fixture
    def router(self) -> Router:
        return Fixed()


class HidesModelErrors(Asks):
    async def decide(self, contest: Contest) -> Decision | None:
        try:
            return await super().decide(contest)
        except ModelError:
            return Decision("talker", "the model is away")


class SwallowsCancelling(Asks):
    async def decide(self, contest: Contest) -> Decision | None:
        with contextlib.suppress(asyncio.CancelledError):
            return await super().decide(contest)
        return None


class KeepsState(Fixed):
    times = 0

    async def decide(self, contest: Contest) -> Decision | None:
        self.times += 1
        return Decision("talker" if self.times % 2 else "planner", "in turn")


ONE_DECISION = "test_chooses_an_installed_agent_or_leaves_it_to_the_auction"
BROKEN: list[tuple[Router, str, tuple[Any, ...]]] = [
    (Fixed("ghost"), ONE_DECISION, ([], TASKS[0])),
    (Fixed(reason=" "), ONE_DECISION, ([], TASKS[0])),
    (HidesModelErrors(), "test_failing_model_is_not_hidden", ()),
    (SwallowsCancelling(), "test_cancelling_passes_through", ()),
    (KeepsState(), "test_many_decisions_at_once_do_not_disturb_each_other", ([],)),
    (KeepsState(), "test_single_agent_is_chosen_or_left_to_the_auction", ([],)),
]


@pytest.mark.parametrize(
    ("router", "test", "given"), BROKEN, ids=[f"{type(one[0]).__name__}-{one[1]}" for one in BROKEN]
)
async def test_kit_fails_what_breaks_a_promise(router: Router, test: str, given: tuple[Any, ...]) -> None:
    with pytest.raises(REFUSED):
        await getattr(RouterConformance(), test)(router, *given)


def test_contest_puts_the_auctions_winner_first() -> None:
    contest = make_contest(make_task("x"), bids={"b": 0.1, "a": 0.1, "c": 0.9})
    assert [one.agent for one in contest.candidates] == ["c", "a", "b"]

"""Kit for routers: :class:`RouterConformance`. A plugin subclasses it in its own tests::

    class TestNightShift(RouterConformance):
        @pytest.fixture
        def router(self):
            return NightShift()

A router that asks the model overrides ``replies`` with what its model would say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import pytest

from agentic.errors import ModelError, ModelUnavailable
from agentic.messages import Message
from agentic.ports.agent import Bid, Task
from agentic.ports.router import Candidate, Contest, Decision, Router
from agentic.testing.agent import TASKS
from agentic.testing.runs import FakeBudget, make_task
from agentic.testing.scripted_model import Answered, Asked, Scripted, ScriptedModel

__all__ = ["RouterConformance", "make_contest"]

BIDS = {"planner": 0.7, "solver": 0.4, "talker": 0.2}


def make_contest(
    task: Task | str, *, bids: Mapping[str, float] | None = None, replies: Iterable[Scripted] = ()
) -> Contest:
    """A contest among agents that bid as given, the auction's winner first, over a model with scripted replies.

    ``contest.model`` is a :class:`agentic.testing.scripted_model.ScriptedModel`; its ``requests`` keep what was asked.
    """
    task = make_task(task) if isinstance(task, str) else task
    placed = BIDS if bids is None else bids
    ranked = sorted(placed.items(), key=lambda one: (-one[1], one[0]))
    candidates = [Candidate(name, f"Works as a {name}", Bid(fitness, f"{name} says so")) for name, fitness in ranked]
    model = ScriptedModel(replies, info=task.model, say=_refuse, budget=FakeBudget())
    return Contest(task=task, candidates=tuple(candidates), model=model)


class RouterConformance:
    """What every router owes to the kernel. Override ``router``."""

    @pytest.fixture
    def router(self) -> Router:
        """The router under test."""
        raise NotImplementedError("override the fixture `router`")

    @pytest.fixture
    def replies(self) -> Sequence[Scripted]:
        """The model's replies with which it makes one decision for the agents ``planner``, ``solver``, ``talker``."""
        return []

    def test_name_is_there(self, router: Router) -> None:
        assert router.name.strip()

    @pytest.mark.parametrize("task", TASKS, ids=lambda task: repr(task.text[:20]))
    async def test_chooses_an_installed_agent_or_leaves_it_to_the_auction(
        self, router: Router, replies: Sequence[Scripted], task: Task
    ) -> None:
        found = await router.decide(make_contest(task, replies=replies))
        if found is not None:
            assert isinstance(found, Decision)
            assert found.agent in BIDS
            assert found.reason.strip(), "people read why"

    async def test_single_agent_is_chosen_or_left_to_the_auction(
        self, router: Router, replies: Sequence[Scripted]
    ) -> None:
        found = await router.decide(make_contest("Hello", bids={"planner": 0.5}, replies=replies))
        assert found is None or found.agent == "planner"

    async def test_many_decisions_at_once_do_not_disturb_each_other(
        self, router: Router, replies: Sequence[Scripted]
    ) -> None:
        [first, *others] = await asyncio.gather(
            *(router.decide(make_contest("Hello", replies=replies)) for _ in range(8))
        )
        assert others == [first] * 7

    async def test_failing_model_is_not_hidden(self, router: Router) -> None:
        contest = make_contest("Hello", replies=[ModelUnavailable("the model server is away")] * 10)
        try:
            found = await router.decide(contest)
        except ModelError:
            return
        asked = isinstance(contest.model, ScriptedModel) and contest.model.requests
        assert found is None or not asked, "what was asked of a model that is away is no reason for a choice"

    async def test_cancelling_passes_through(self, router: Router) -> None:
        asked = asyncio.Event()

        async def hang(_: Asked) -> Answered:
            asked.set()
            await asyncio.Event().wait()
            return "never"

        deciding = asyncio.ensure_future(router.decide(make_contest("Hello", replies=[hang])))
        waiting = asyncio.create_task(asked.wait())
        await asyncio.wait([deciding, waiting], timeout=5, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if deciding.done():
            pytest.skip("it asks no model")
        deciding.cancel()
        done, _ = await asyncio.wait([deciding], timeout=1)
        assert done, "a cancelled router ends within a second"
        assert deciding.cancelled(), "a router does not swallow its cancelling"

    async def test_earlier_messages_may_be_anything(self, router: Router, replies: Sequence[Scripted]) -> None:
        history = (Message("system", ""), Message("tool", "x" * 100_000, tool_call_id="gone"), Message("assistant"))
        found = await router.decide(make_contest(make_task("And then?", history=history), replies=replies))
        assert found is None or found.agent in BIDS


def _refuse(_text: str) -> None:
    raise AssertionError("a router says nothing to the user")

"""Who answers: the agent that was asked for, the plain one for a bare model, else the highest bid."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from agentic import Agent, Bid, Run
from agentic.errors import ModelNotFound
from agentic.events import Decided, Entry, entry_to_json
from agentic.runtime.router import Route, Router
from agentic.testing.runs import make_task
from tests.kernel_in_memory import ActingAgent, House, ScriptedProvider, said

TASK = make_task("x")


async def silent(_run: Run) -> None:
    """Do nothing."""


def agent(name: str, bid: Any = None, *, rank: int = 0, plain: bool = False) -> Agent:
    """An agent that bids the number given, or whatever the function given returns."""
    made = ActingAgent(silent, name, bid if callable(bid) else lambda _task: Bid(bid, f"{name} bids"))
    made.rank, made.plain = rank, plain
    return made


def router(*agents: Agent) -> Router:
    return Router({one.name: one for one in agents})


def raises(_task: Any) -> Bid:
    raise ValueError("secret 4711")


BROKEN: list[tuple[Any, str]] = [
    (raises, "its bid failed"),
    (lambda _task: None, "its bid failed"),
    (lambda _task: 0.9, "its bid failed"),
    (lambda _task: Bid("high", "x"), "its bid failed"),  # type: ignore[arg-type]
    (lambda _task: Bid(None, "x"), "its bid failed"),  # type: ignore[arg-type]
    (float("nan"), "its bid nan lies outside 0 to 1"),
    (float("inf"), "its bid inf lies outside 0 to 1"),
    (1.01, "its bid 1.01 lies outside 0 to 1"),
    (-0.5, "its bid -0.5 lies outside 0 to 1"),
]


@pytest.mark.parametrize(("bid", "reason"), BROKEN)
def test_broken_bid_counts_nothing_and_is_logged(bid: Any, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    chosen, decided = router(agent("broken", bid), agent("sound", 0.1)).decide(Route(), TASK)
    assert chosen.name == "sound"
    assert decided.bids[1] == {"agent": "broken", "fitness": 0, "reason": reason}
    assert "broken" in caplog.text


def test_broken_bids_alone_still_choose_somebody() -> None:
    chosen, _ = router(agent("b", raises), agent("a", raises)).decide(Route(), TASK)
    assert chosen.name == "a"


def test_without_an_agent_nobody_answers() -> None:
    with pytest.raises(ModelNotFound, match="No agent is installed"):
        router().decide(Route(), TASK)


def test_bare_model_without_a_plain_agent_is_not_found() -> None:
    with pytest.raises(ModelNotFound, match="bare model"):
        router(agent("a", 1)).decide(Route(model="m", plain=True), TASK)


@pytest.mark.parametrize("model", ["agentic/ghost", "agentic/ghost@m", "agentic/react/x"])
def test_agent_that_is_not_installed_is_not_found(model: str) -> None:
    with pytest.raises(ModelNotFound, match="Installed: react") as caught:
        router(agent("react", 1)).read(model)
    assert caught.value.param == "model"


def test_not_found_without_any_agent_says_none() -> None:
    with pytest.raises(ModelNotFound, match="Installed: none"):
        router().read("agentic/react")


@pytest.mark.parametrize(
    ("model", "route"),
    [
        ("agentic", Route()),
        ("agentic/", Route()),
        ("agentic/react", Route(agent="react")),
        ("agentic/react@qwen3:8b", Route(agent="react", model="qwen3:8b")),
        ("agentic/react@a/b@c", Route(agent="react", model="a/b@c")),
        ("agentic/@m", Route(model="m")),
        ("qwen3:8b", Route(model="qwen3:8b", plain=True)),
        ("hf.co/x/y", Route(model="hf.co/x/y", plain=True)),
        ("agentically", Route(model="agentically", plain=True)),
    ],
)
def test_model_value_says_who_answers_over_which_model(model: str, route: Route) -> None:
    assert router(agent("react", 1)).read(model) == route


def test_agent_that_was_asked_for_need_not_bid() -> None:
    chosen, decided = router(agent("a", raises), agent("b", 1)).decide(Route(agent="a"), TASK)
    assert (chosen.name, decided) == ("a", Decided("a", "the client asked for a"))


def test_bare_model_goes_to_the_first_plain_agent() -> None:
    chosen, decided = router(agent("a", 1), agent("b", 0, plain=True)).decide(Route(model="m", plain=True), TASK)
    assert (chosen.name, decided.bids) == ("b", ())


def test_highest_bid_wins_and_every_bid_is_kept_best_first() -> None:
    chosen, decided = router(agent("a", 0.2), agent("b", 0.91239), agent("c", 0.5)).decide(Route(), TASK)
    assert (chosen.name, decided.agent, decided.reason) == ("b", "b", "b bids")
    assert [(bid["agent"], bid["fitness"]) for bid in decided.bids] == [("b", 0.912), ("c", 0.5), ("a", 0.2)]


def test_ties_go_by_rank_and_then_by_name() -> None:
    assert router(agent("a", 0.5), agent("z", 0.5, rank=1)).decide(Route(), TASK)[0].name == "z"
    assert router(agent("b", 0.5), agent("a", 0.5)).decide(Route(), TASK)[0].name == "a"


@pytest.mark.parametrize("fitness", [1, True, Decimal("0.5")])
def test_any_number_is_a_bid_that_can_be_stored(fitness: Any) -> None:
    _, decided = router(agent("a", fitness)).decide(Route(), TASK)
    assert json.dumps(entry_to_json(Entry(1, 0, decided)))


async def test_whole_run_goes_to_the_winner_over_the_model_that_was_asked_for() -> None:
    async def act(run: Run) -> None:
        run.say(f"{run.task.model.id}: ")
        await run.model.complete(run.messages, say=True)

    agents = [
        ActingAgent(silent, "low", lambda _task: Bid(0.1, "x")),
        ActingAgent(act, "high", lambda _task: Bid(0.9, "x")),
    ]
    provider = ScriptedProvider("yes", id="big")
    assert said(await House(agents, provider=provider).log(model="agentic/@scripted/big")) == "big: yes"

"""An installed router chooses in place of the auction; one that gives no sound decision is passed over, and told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from agentic import Bid, Contest, Decision, Message, ModelDelta, ModelError, Router, Run, Usage, tool
from agentic.errors import BadRequest, ModelNotFound, SessionNotFound
from agentic.events import Decided, ModelFinished, ModelStarted, RunFinished, TextDelta, ThinkingDelta
from agentic.models.handle import Wishes
from agentic.runtime.budget import Limits
from agentic.runtime.request import RunRequest
from tests.kernel_in_memory import ALICE, ActingAgent, House, ScriptedProvider, events, said

Deciding = Callable[[Contest], Any]


class Chooser(Router):
    """Decides as the function given to it does; ``seen`` keeps what it was given."""

    name = "chooser"

    def __init__(self, deciding: Deciding) -> None:
        self._deciding = deciding
        self.seen: list[Contest] = []

    async def decide(self, contest: Contest) -> Any:
        self.seen.append(contest)
        found = self._deciding(contest)
        return await found if asyncio.iscoroutine(found) else found


def raising(error: BaseException) -> Deciding:
    def decide(_contest: Contest) -> Any:
        raise error

    return decide


async def forever(_contest: Contest) -> Any:
    await asyncio.Event().wait()


async def let_out(_contest: Contest) -> Any:
    """Let out that something within was cancelled."""
    inner = asyncio.create_task(asyncio.sleep(60))
    asyncio.get_running_loop().call_soon(inner.cancel)
    await inner


def saying(name: str) -> Callable[[Run], Any]:
    async def act(run: Run) -> None:
        run.say(f"I am {name}.")

    return act


AGENTS = [
    ActingAgent(saying("high"), "high", lambda _task: Bid(0.9, "always high")),
    ActingAgent(saying("low"), "low", lambda _task: Bid(0.1, "never fit")),
]


@tool(examples=["Is it raining in Rome"])
async def weather() -> str:
    """Weather."""
    return "sun"


def house(deciding: Deciding, *answers: Any, **more: Any) -> House:
    return House(AGENTS, chooser=Chooser(deciding), provider=ScriptedProvider(*answers), tools=[weather], **more)


async def decided_by(deciding: Deciding, *answers: Any, model: str = "agentic", **more: Any) -> Decided:
    log = await house(deciding, *answers, **more).log(model=model)
    assert isinstance(log[-1], RunFinished)
    [found] = [event for event in log if isinstance(event, Decided)]
    assert said(log) == f"I am {found.agent}."
    return found


PASSED_OVER: list[tuple[Deciding, str]] = [
    (raising(ValueError("4711")), "the router chooser failed (ValueError), so the auction decided: always high"),
    (raising(ModelError("4711")), "the router chooser failed (ModelError), so the auction decided: always high"),
    (raising(TimeoutError()), "the router chooser failed (TimeoutError), so the auction decided: always high"),
    (raising(SystemExit(3)), "the router chooser failed (SystemExit), so the auction decided: always high"),
    (let_out, "the router chooser failed (CancelledError), so the auction decided: always high"),
    (forever, "the router chooser took longer than 0.05 s, so the auction decided: always high"),
    (lambda _: "low", "the router chooser gave no decision, so the auction decided: always high"),
    (lambda _: Decision(["low"], "x"), "the router chooser gave no decision, so the auction decided: always high"),  # type: ignore[arg-type]
    (
        lambda _: Decision("ghost" * 100, "x"),
        f"the router chooser chose '{('ghost' * 100)[:64]}', which is not installed, so the auction decided: "
        "always high",
    ),
    (lambda _: None, "the router chooser left it to the auction: always high"),
]


@pytest.mark.parametrize(("deciding", "told"), PASSED_OVER, ids=[told[19:45] for _, told in PASSED_OVER])
async def test_router_without_a_sound_decision_leaves_the_auctions_and_says_so(deciding: Deciding, told: str) -> None:
    found = await decided_by(deciding, router_timeout_s=0.05)
    assert (found.agent, found.reason, found.router) == ("high", told, "auction")
    assert [bid["agent"] for bid in found.bids] == ["high", "low"]


@pytest.mark.parametrize("error", [ValueError("secret 4711"), ModelError("secret 4711")])
async def test_failure_of_a_router_is_logged(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await decided_by(raising(error))
    assert "[Router] Failed: chooser" in caplog.text


async def test_name_that_a_router_invents_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await decided_by(lambda _: Decision("ghost 4711", "x"))
    assert "not installed: chooser" in caplog.text
    assert "4711" not in caplog.text


async def test_run_cancelled_while_its_router_thinks_ends_at_once_and_acts_no_more() -> None:
    thinking = asyncio.Event()
    ended = asyncio.Event()

    async def think(_contest: Contest) -> Any:
        thinking.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    live = await house(think).ask()
    await thinking.wait()
    live.cancel()
    log = events(await asyncio.wait_for(live.log(), 1))
    assert log[-1] == RunFinished("cancelled", Usage())
    assert ended.is_set()
    assert not [event for event in log if isinstance(event, (Decided, TextDelta))]


async def test_limit_that_a_router_hits_ends_the_run() -> None:
    async def ask(contest: Contest) -> Any:
        for _ in range(3):
            await contest.model.complete([Message("user", "Who?")])

    log = await house(ask, "a", "b", "c", limits=Limits(model_calls=2)).log()
    assert log[-1] == RunFinished("length", Usage(20, 10))
    assert said(log).startswith("Stopped: the limit of 2 model calls")


async def test_choice_of_the_router_answers() -> None:
    found = await decided_by(lambda _: Decision("low", "it is late"))
    assert (found.agent, found.reason, found.router) == ("low", "it is late", "chooser")
    assert [bid["agent"] for bid in found.bids] == ["high", "low"], "every bid is kept"


async def test_router_sees_the_task_and_every_bid_best_first() -> None:
    at_work = house(lambda _: None)
    await at_work.log("Is it raining?")
    [seen] = at_work.chooser.seen
    assert (seen.task.text, seen.task.fit[0].tool, seen.model.info.id) == ("Is it raining?", "weather", "m")
    assert [(one.agent, one.description, one.bid.fitness) for one in seen.candidates] == [
        ("high", "Acts as it is told", 0.9),
        ("low", "Acts as it is told", 0.1),
    ]


@pytest.mark.parametrize("model", ["agentic/low", "agentic/low@m"])
async def test_router_is_not_asked_where_the_client_names_the_agent(model: str) -> None:
    found = await decided_by(raising(AssertionError("not to be asked")), model=model)
    assert (found.agent, found.reason, found.router) == ("low", "the client asked for low", "request")


async def test_routers_call_of_the_model_is_counted_and_logged_and_heard_by_nobody() -> None:
    async def ask(contest: Contest) -> Decision:
        reply = await contest.model.complete([Message("user", "Who?")], say=True)
        return Decision(reply.text, "the model says so")

    thinks = [ModelDelta(thinking="hmm"), ModelDelta("low"), ModelDelta(finish="length", usage=Usage(10, 5))]
    log = await house(ask, thinks).log()
    kinds = [type(event) for event in log[1:4]]
    assert kinds == [ModelStarted, ModelFinished, Decided]
    assert not [event for event in log if isinstance(event, ThinkingDelta)]
    assert said(log) == "I am low."
    assert log[-1] == RunFinished("stop", Usage(10, 5)), "a router's call does not end the answer"


async def explain(at_work: House, text: str = "Is it raining in Rome", **more: Any) -> dict[str, Any]:
    messages = more.pop("messages", (Message("user", text),))
    return await at_work.engine.explain(
        RunRequest(model=more.pop("model", "agentic"), messages=messages, **more), ALICE
    )


async def test_nothing_is_explained_that_could_not_be_run() -> None:
    at_work = house(lambda _: None)
    with pytest.raises(ModelNotFound):
        await explain(at_work, model="agentic/ghost")
    with pytest.raises(SessionNotFound):
        await explain(at_work, session_id="0" * 24)
    blunt = House(AGENTS, provider=ScriptedProvider(schema=False))
    with pytest.raises(BadRequest, match="response_format"):
        await explain(blunt, wishes=Wishes(answer_schema={"type": "object"}))


async def test_explanation_tells_the_decision_with_bids_tools_model_and_router() -> None:
    told = await explain(house(lambda _: Decision("low", "it is late")))
    assert told == {
        "agent": "low",
        "reason": "it is late",
        "bids": [
            {"agent": "high", "fitness": 0.9, "reason": "always high"},
            {"agent": "low", "fitness": 0.1, "reason": "never fit"},
        ],
        "tools": [{"tool": "weather", "score": told["tools"][0]["score"]}],
        "model": "m",
        "router": "chooser",
    }


async def test_explaining_runs_and_stores_nothing() -> None:
    at_work = house(lambda _: None)
    await explain(at_work)
    assert at_work.provider.requests == []
    assert list(await at_work.storage.list("")) == []


async def test_explanation_takes_the_sessions_history_into_account() -> None:
    at_work = house(lambda _: None)
    first = await at_work.ask("Hello")
    await first.log()
    await explain(at_work, "And then?", session_id=first.session_id)
    history = at_work.chooser.seen[-1].task.history
    assert [message.text for message in history] == ["Hello", "I am high."]
    conversation = await at_work.conversation(first)
    assert len(conversation) == 2, "the question is not stored"

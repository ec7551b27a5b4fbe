"""The tools of a run: whatever goes wrong becomes a result for the model, and everything is recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import pytest

from agentic import Citation, Tool, ToolCall, ToolContext, ToolError, ToolResult, ToolRetry, ToolSpec, Traits, tool
from agentic.errors import BudgetExceeded
from agentic.events import CitationAdded, Event, HandedOver, Progress, ToolCallFinished, ToolCallStarted
from agentic.identity.limits import Meter
from agentic.runtime.approval import Gate, Policy
from agentic.runtime.budget import Budget, Limits
from agentic.runtime.files import RunFiles
from agentic.runtime.request import RunRequest
from agentic.runtime.run import LiveRun
from agentic.runtime.spaces import of_conversation, of_plugin
from agentic.runtime.toolbox import Context, Toolbox
from agentic.testing.memory_storage import MemoryStorage
from agentic.testing.runs import client_tool
from tests.kernel_in_memory import ALICE, spec_of
from tests.scopes import scope_over


@tool(examples=["Repeat hello"])
async def repeat(text: Annotated[str, "what to repeat"], times: int = 2) -> str:
    """Repeat a text."""
    return text * times


class Acting(Tool):
    """Does what the function given to it does."""

    description = "Acts"

    def __init__(self, act: Callable[[Any, ToolContext], Any], name: str = "act", **traits: Any) -> None:
        self.name = name
        self.traits = Traits(**traits)
        self.args = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
        self._act = act

    async def run(self, args: Any, ctx: ToolContext) -> Any:
        found = self._act(args, ctx)
        return await found if asyncio.iscoroutine(found) else found


class Bench:
    """A toolbox over some tools, with its log at hand."""

    def __init__(
        self,
        *tools: Tool,
        client: tuple[ToolSpec, ...] = (),
        limit: int = 50,
        hidden: str = "",
        policy: Policy | None = None,
        can_ask: bool = False,
        source: str = "",
    ) -> None:
        self.live = LiveRun(
            "r", RunRequest(model="agentic", messages=()), ALICE, "s-1", Budget(Limits(tool_calls=limit))
        )
        self.channel, self.approvals = self.live.channel, self.live.approvals
        self.gate = Gate(policy or Policy(), self.approvals, self.channel, can_ask=can_ask, source=source)
        self.everything = scope_over(MemoryStorage())
        self.box = Toolbox(
            self.live,
            [*(spec_of(tool) for tool in tools if tool.name != hidden), *client],
            {tool.name: tool for tool in tools},
            {tool.name: f"plugin-{tool.name}" for tool in tools},
            gate=self.gate,
            context_of=self.context_of,
            keep=self.keep,
        )

    def context_of(self, call_id: str, plugin: str) -> Context:
        room = partial(Meter(self.everything.storage).storing, ALICE)
        return Context(
            call_id,
            ALICE,
            space=of_plugin(self.everything, ALICE, plugin),
            conversation=of_conversation(self.everything, ALICE, "s-1", plugin),
            files=RunFiles(self.everything.blobs, "run_1", self.channel, room),
            channel=self.channel,
        )

    async def keep(self) -> None:
        return None

    async def call(self, name: str, /, **arguments: Any) -> ToolResult:
        [result] = await self.box.call([ToolCall("r-1", name, arguments)])
        return result

    def events(self, kind: type[Event]) -> list[Any]:
        return [entry.event for entry in self.channel.entries if isinstance(entry.event, kind)]


def raising(error: BaseException) -> Callable[[Any, ToolContext], Any]:
    def act(_args: Any, _ctx: ToolContext) -> str:
        raise error

    return act


async def test_unknown_tool_is_told_with_those_that_there_are() -> None:
    bench = Bench(repeat)
    result = await bench.call("repaet")
    assert result.error
    assert "no tool 'repaet'" in result.content
    assert "Tools: repeat." in result.content
    assert [event.error for event in bench.events(ToolCallFinished)] == [True]


async def test_installed_tool_that_was_not_offered_is_not_there() -> None:
    assert "no tool 'repeat'. Tools: none." in (await Bench(repeat, hidden="repeat").call("repeat", text="x")).content


async def test_malformed_arguments_are_told_and_the_tool_does_not_run() -> None:
    ran: list[Any] = []
    bench = Bench(Acting(lambda args, _ctx: ran.append(args) or "x"))
    [result] = await bench.box.call([ToolCall("r-1", "act", {}, malformed='{"n": ')])
    assert result.error
    assert "not a JSON object" in result.content
    assert ran == []


@pytest.mark.parametrize(
    ("arguments", "field"),
    [({}, "text: "), ({"text": "a", "times": "many"}, "times: "), ({"text": "a", "volume": 3}, "volume: ")],
)
async def test_wrong_arguments_are_named_by_field(arguments: dict[str, Any], field: str) -> None:
    result = await Bench(repeat).call("repeat", **arguments)
    assert result.error
    assert field in result.content
    assert result.content.startswith("Wrong input: ")


@pytest.mark.parametrize(("arguments", "field"), [({"n": "x"}, "n: "), ({"m": 1}, "input: ")])
async def test_wrong_arguments_are_named_for_tools_with_a_json_schema(arguments: dict[str, Any], field: str) -> None:
    result = await Bench(Acting(lambda _args, _ctx: "x")).call("act", **arguments)
    assert result.error
    assert field in result.content


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ToolError("The shop is closed."), "Error: The shop is closed."),
        (ToolRetry("Say which shop."), "Wrong input: Say which shop."),
    ],
)
async def test_tool_error_reaches_the_model_in_its_own_words(error: ToolError, told: str) -> None:
    assert await Bench(Acting(raising(error))).call("act") == ToolResult(told, error=True)


async def test_result_too_long_for_any_model_is_cut_and_says_so() -> None:
    result = await Bench(Acting(lambda _args, _ctx: "x" * 100_000)).call("act")
    assert len(result.content) < 65_000
    assert result.content.endswith("[Cut: the first 64,000 of 100,000 characters.]")


async def test_name_of_an_unknown_tool_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        await Bench(repeat).call("the patient has 4711")
    assert "4711" not in caplog.text


@pytest.mark.parametrize(
    "error", [ValueError("secret 4711"), TimeoutError("secret 4711"), asyncio.CancelledError(), SystemExit(1)]
)
async def test_raising_tool_is_a_failure_without_its_words(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        result = await Bench(Acting(raising(error))).call("act")
    assert result == ToolResult(f"Error: act failed: {type(error).__name__}.", error=True)
    assert "[Tools] Tool failed: act" in caplog.text


async def test_tool_beyond_its_time_is_stopped() -> None:
    stopped: list[bool] = []

    async def hang(_args: Any, _ctx: ToolContext) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)
        return "never"

    result = await Bench(Acting(hang, timeout_s=0.02)).call("act")
    assert result.error
    assert "longer than its limit of 0.02 s" in result.content
    assert stopped == [True]


@pytest.mark.parametrize("found", [None, 42, {"a": 1}, b"bytes"])
async def test_wrong_return_type_is_a_failure(found: object) -> None:
    result = await Bench(Acting(lambda _args, _ctx: found)).call("act")
    assert result.error
    assert "what it returned is no result" in result.content


async def test_cancelled_run_cancels_its_tools() -> None:
    begun = asyncio.Event()

    async def hang(_args: Any, _ctx: ToolContext) -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    calling = asyncio.create_task(Bench(Acting(hang)).call("act"))
    await begun.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling


async def test_third_equal_call_is_refused_after_two_equal_results() -> None:
    ran: list[Any] = []
    bench = Bench(Acting(lambda args, _ctx: ran.append(args) or "same"))
    results = [await bench.call("act", n=1) for _ in range(4)]
    assert [result.error for result in results] == [False, False, True, True]
    assert "gave the same result both times" in results[2].content
    assert len(ran) == 2
    assert not (await bench.call("act", n=2)).error, "other arguments are another call"


async def test_equal_calls_with_other_results_go_on() -> None:
    count = iter(range(9))
    bench = Bench(Acting(lambda _args, _ctx: str(next(count))))
    assert [(await bench.call("act", n=1)).content for _ in range(5)] == ["0", "1", "2", "3", "4"]


async def test_failing_calls_are_guarded_as_well() -> None:
    bench = Bench(Acting(raising(ToolError("closed"))))
    results = [await bench.call("act") for _ in range(3)]
    assert "twice" in results[2].content


async def test_calls_beyond_the_budget_end_the_run_and_none_of_them_is_made() -> None:
    bench = Bench(repeat, limit=2)
    await bench.call("repeat", text="a")
    with pytest.raises(BudgetExceeded, match=r"2 tool calls a run \(RUN_MAX_TOOL_CALLS\)"):
        await bench.box.call([ToolCall("r-2", "repeat", {"text": "b"}), ToolCall("r-3", "repeat", {"text": "c"})])
    assert len(bench.events(ToolCallStarted)) == 1


async def test_parallel_tools_run_side_by_side_and_results_keep_the_calls_order() -> None:
    meeting = asyncio.Barrier(3)

    async def meet(args: Any, _ctx: ToolContext) -> str:
        await asyncio.wait_for(meeting.wait(), 2)
        await asyncio.sleep(0.01 * (3 - args["n"]))
        return str(args["n"])

    bench = Bench(Acting(meet))
    results = await bench.box.call([ToolCall(f"r-{n}", "act", {"n": n}) for n in range(3)])
    assert [result.content for result in results] == ["0", "1", "2"]
    assert [event.id for event in bench.events(ToolCallFinished)] == ["r-2", "r-1", "r-0"]


async def test_serial_tools_run_one_after_another_in_order() -> None:
    running: list[int] = []
    order: list[int] = []

    async def alone(args: Any, _ctx: ToolContext) -> str:
        running.append(1)
        assert len(running) == 1
        await asyncio.sleep(0)
        running.pop()
        order.append(args["n"])
        return str(args["n"])

    bench = Bench(Acting(alone, "alone", parallel=False), repeat)
    calls = [
        ToolCall("r-1", "alone", {"n": 1}),
        ToolCall("r-2", "repeat", {"text": "x"}),
        ToolCall("r-3", "alone", {"n": 3}),
        ToolCall("r-4", "gone", {}),
    ]
    results = await bench.box.call(calls)
    assert [result.content for result in results[:3]] == ["1", "xx", "3"]
    assert results[3].error
    assert order == [1, 3]


async def test_one_failing_call_leaves_the_others_their_results() -> None:
    bench = Bench(repeat, Acting(raising(RuntimeError("x"))))
    results = await bench.box.call([ToolCall("r-1", "act", {}), ToolCall("r-2", "repeat", {"text": "a"})])
    assert [result.error for result in results] == [True, False]


async def test_no_calls_give_no_results() -> None:
    assert await Bench(repeat).box.call([]) == []


async def test_call_is_recorded_with_its_plugin_traits_result_and_time() -> None:
    bench = Bench(Acting(lambda _args, _ctx: "done", risk="execute", untrusted=True))
    await bench.call("act", n=1)
    assert bench.events(ToolCallStarted) == [ToolCallStarted("r-1", "act", {"n": 1}, "plugin-act", "execute", True)]
    [finished] = bench.events(ToolCallFinished)
    assert (finished.id, finished.tool, finished.result, finished.error) == ("r-1", "act", "done", False)
    assert 0 <= finished.seconds < 1


async def test_citations_of_a_result_are_told() -> None:
    citation = Citation("https://example.org", "Example")
    bench = Bench(Acting(lambda _args, _ctx: ToolResult("found", citations=(citation,))))
    assert (await bench.call("act")).citations == (citation,)
    assert bench.events(CitationAdded) == [CitationAdded(citation)]


async def test_tool_gets_its_call_its_user_and_its_plugins_own_space() -> None:
    async def act(_args: Any, ctx: ToolContext) -> str:
        ctx.progress("half way", 0.5)
        await ctx.space.storage.save("note", {"by": ctx.principal.name})
        await ctx.conversation.storage.save("seen", 1)
        return ctx.call_id

    bench = Bench(Acting(act))
    assert (await bench.call("act")).content == "r-1"
    assert bench.events(Progress) == [Progress("r-1", "half way", "running", 0.5)]
    kept = await bench.everything.storage.list("")
    assert [one.key for one in kept] == [
        "spaces/u-alice/plugins/plugin-act/note",
        "spaces/u-alice/sessions/s-1/plugin-act/seen",
    ]


async def test_servers_calls_run_before_the_clients_are_handed_over() -> None:
    bench = Bench(repeat, client=(client_tool("open_door"),))
    calls = [ToolCall("r-1", "open_door", {"door": "front"}), ToolCall("r-2", "repeat", {"text": "a"})]
    calling = asyncio.create_task(bench.box.call(calls))
    await asyncio.wait([calling], timeout=0.05)
    assert not calling.done(), "after a hand-over the agent is not to go on"
    assert bench.live.ended_early == ("tool_calls", "")
    kinds = [entry.event.type for entry in bench.channel.entries]
    assert kinds == ["tool_call_started", "tool_call_finished", "handed_over"]
    assert bench.events(HandedOver) == [HandedOver((calls[0],))]
    assert bench.live.budget.tool_calls == 1, "the client's own calls are not ours to count"
    calling.cancel()


@pytest.mark.parametrize(
    "made", [ToolResult({"a": 1}), ToolResult("found", citations=({"url": "x"},)), ToolResult(None)], ids=str
)
async def test_result_of_wrong_parts_is_the_tools_failure(made: ToolResult) -> None:
    result = await Bench(Acting(lambda _args, _ctx: made)).call("act")
    assert result.error
    assert "what it returned is no result" in result.content

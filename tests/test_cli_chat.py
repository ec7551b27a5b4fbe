"""A conversation of ``agentic chat``: its questions, its commands, and what is stored of it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from agentic import BadRequest, File, Principal, Run, ToolResult, tool
from agentic.catalog.catalog import Capability, Catalog, Plugin
from agentic.cli.chat_answer import Screen
from agentic.cli.chat_commands import COMMANDS, is_command, obey
from agentic.cli.chat_talk import Talk
from agentic.events import FileAdded
from tests.kernel_in_memory import ALICE, ActingAgent, House, ScriptedProvider

BOB = Principal("u-bob", "bob")


@tool(risk="read", examples=["Look up the tower"])
async def lookup(what: str) -> ToolResult:
    """Look something up."""
    return ToolResult(f"{what}: 324 m")


async def answer(run: Run) -> None:
    """Think, and say the last message back."""
    run.think("Well.")
    run.say(f"You said: {run.messages[-1].text}")


class Desk:
    """A conversation over a kernel in memory; ``told`` is what the screen shows."""

    def __init__(self, act: Callable[[Run], Any] = answer, who: Principal = ALICE, house: House | None = None) -> None:
        agents = [ActingAgent(act, "actor"), ActingAgent(act, "other")]
        self.house = house or House(agents, provider=ScriptedProvider(), tools=[lookup])
        plugin = Plugin("one", "agentic-plugin-one", "1.2")
        plugin.capabilities += [Capability("agent", agent.name, "one", agent) for agent in agents]
        plugin.capabilities.append(Capability("tool", "lookup", "one", lookup))
        plugin.capabilities.append(Capability("tool", "search", "one", None, fix="Set SEARCH_KEY"))
        kernel: Any = SimpleNamespace(
            engine=self.house.engine,
            directory=self.house.directory,
            catalog=Catalog([plugin]),
            settings=SimpleNamespace(default_model="agentic"),
        )
        self.shown = io.StringIO()
        console = Console(file=self.shown, force_terminal=True, width=100, color_system=None)
        screen = Screen(console, console)
        self.talk = Talk(kernel, who, screen, screen.show)

    async def __call__(self, line: str) -> str:
        """Write a line, and get what is shown for it."""
        self.shown.seek(0)
        self.shown.truncate()
        await self.talk.take(obey(self.talk, line) if is_command(line) else self.talk.ask(line))
        return self.shown.getvalue()

    async def stored(self) -> list[dict[str, Any]]:
        assert self.talk.session_id
        found = await self.talk.conversations.read(self.talk.session_id)
        messages: list[dict[str, Any]] = found["messages"]
        return messages


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/modl", "There is no command /modl. Did you mean /model?"),
        ("/xyzzy", "There is no command /xyzzy. Try /help."),
        ("/quit now", "/quit takes no argument."),
        ("/agent nobody", "There is no agent 'nobody'. Installed: actor, other."),
        ("/model gpt-9", "The model 'gpt-9' does not exist. Run: pull gpt-9"),
        ("/model agentic/nobody", "no agent 'nobody' is installed"),
        ("/steps", "Nothing has been answered yet."),
        ("/save chart.png", "Nothing has been answered yet."),
        ("/save", "Which file?"),
        ("/save ../chart.png", "without a folder"),
        ("/sessions 7", "There is no conversation '7'."),
        ("/sessions 0123456789abcdef01234567", "There is no conversation"),
    ],
)
async def test_a_wrong_command_is_told_in_one_line_and_changes_nothing(line: str, told: str) -> None:
    desk = Desk()
    shown = await desk(line)
    assert shown.startswith("error: ")
    assert told in shown
    assert shown.count("\n") == 1
    assert (desk.talk.model, desk.talk.session_id, desk.talk.is_over) == ("agentic", None, False)


async def test_after_a_failed_answer_the_conversation_goes_on() -> None:
    async def fail_once(run: Run) -> None:
        if run.messages[-1].text == "fail":
            raise BadRequest("That cannot be.")
        await answer(run)

    desk = Desk(fail_once)
    assert "error: That cannot be.\n" in await desk("fail")
    assert "You said: go on" in await desk("go on")
    assert [one["content"] for one in await desk.stored()] == ["fail", "", "go on", "You said: go on"]


async def test_a_stopped_answer_is_stored_as_incomplete_and_the_conversation_goes_on() -> None:
    said = asyncio.Event()

    async def go_on_and_on(run: Run) -> None:
        run.say("So far")
        said.set()
        await asyncio.sleep(60)

    desk = Desk(go_on_and_on)
    asking = asyncio.ensure_future(desk("tell me"))
    await said.wait()
    assert desk.talk.stop()
    shown = await asking
    assert shown.endswith("So far\nStopped.\n")
    assert [(one["content"], one.get("incomplete")) for one in await desk.stored()] == [
        ("tell me", None),
        ("So far", True),
    ]
    assert not desk.talk.stop()
    assert "*  1  " in await desk("/sessions")


async def test_a_command_that_waits_can_be_stopped() -> None:
    desk = Desk()
    desk.house.provider.models = lambda: asyncio.sleep(60)
    listing = asyncio.ensure_future(desk("/model"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert desk.talk.stop()
    assert await listing == "Stopped.\n"


async def test_what_storage_did_not_keep_is_no_session_to_go_on_with() -> None:
    desk = Desk()

    async def full(*_: Any, **__: Any) -> int:
        raise BadRequest("The disk is full.")

    desk.house.storage.append = full
    assert "error: The disk is full." in await desk("hello")
    assert desk.talk.session_id is None


async def test_nobody_goes_on_with_or_sees_the_conversation_of_another() -> None:
    hers = Desk()
    await hers("a secret plan")
    his = Desk(who=BOB, house=hers.house)
    assert "There is no conversation" in await his(f"/sessions {hers.talk.session_id}")
    assert await his("/sessions") == "None yet.\n"
    assert await his.talk.questions() == []


def test_paths_are_questions_and_no_commands() -> None:
    assert [line for line in ("/usr/bin is what?", "/ what", "//", "what /help", "/Help") if is_command(line)] == []
    assert is_command("  /model  qwen3:8b ")


async def test_questions_of_one_conversation_follow_each_other_until_a_new_one_is_begun() -> None:
    desk = Desk()
    await desk("one")
    first = desk.talk.session_id
    await desk("two")
    assert desk.talk.session_id == first
    await desk("/new")
    await desk("three")
    assert desk.talk.session_id != first
    listed = await desk("/sessions")
    assert [line.split("  ")[-1] for line in listed.splitlines()[:2]] == ["three", "one"]
    told = await desk("/sessions 2")
    assert desk.talk.session_id == first
    assert "Going on with" in told
    assert "> two\nYou said: two\n" in told
    assert "You said: two" not in await desk("four") and len(await desk.stored()) == 6


async def test_earlier_questions_of_all_conversations_come_back_in_their_order() -> None:
    desk = Desk()
    for line in ("one", "two", "/new", "three"):
        await desk(line)
        await asyncio.sleep(0.002)
    assert await Desk(house=desk.house).talk.questions() == ["one", "two", "three"]
    assert await desk.talk.questions(most=1) == ["three"]


async def test_models_and_agents_are_listed_with_the_one_in_use_marked_and_chosen_by_name() -> None:
    desk = Desk()
    listed = await desk("/model")
    assert [line.split()[:2] for line in listed.splitlines()] == [["*", "agentic"], ["m", "scripted,"]]
    assert "plain chat, without tools. /agent auto" in await desk("/model m")
    assert desk.talk.model == "m"
    assert "* m " in await desk("/model")
    assert "Now asking agentic/other@m." in await desk("/agent other")
    assert "* other" in await desk("/agent")
    await desk("/agent auto")
    assert desk.talk.model == "agentic/@m"
    await desk("/model auto")
    assert desk.talk.model == "agentic"
    assert "* auto" in await desk("/agent")
    assert "You said: hello" in await desk("hello")


async def test_where_no_model_can_be_had_the_list_says_why() -> None:
    desk = Desk()
    desk.house.provider.infos = []
    assert "error: scripted has no model to answer with. Run: pull something" in await desk("/model")


async def test_tools_are_told_with_what_they_do_and_what_is_missing() -> None:
    shown = await Desk()("/tools")
    assert "lookup  Look something up. (read; plugin one)" in shown
    assert "search  not configured: Set SEARCH_KEY" in shown


async def test_steps_unfold_what_the_answer_folded() -> None:
    desk = Desk()
    assert "Well." not in await desk("hello")
    shown = await desk("/steps")
    assert "agent actor: always as fit" in shown
    assert "Well." in shown


async def test_a_file_of_the_answer_is_saved_once_and_never_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    desk = Desk()
    await desk("draw")
    kept = {"chart.png": b"picture"}

    async def pieces(run_id: str, name: str, _: Principal) -> Any:
        assert run_id == desk.talk.run_id
        yield kept[name][:3]
        yield kept[name][3:]

    monkeypatch.setattr(desk.house.engine, "open_file", pieces)
    assert await desk("/save chart.png") == f"Saved: {tmp_path / 'chart.png'}\n"
    assert (tmp_path / "chart.png").read_bytes() == b"picture"
    (tmp_path / "chart.png").write_bytes(b"mine")
    assert "File exists" in await desk("/save chart.png")
    assert (tmp_path / "chart.png").read_bytes() == b"mine"


async def test_a_file_cut_short_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    desk = Desk()
    await desk("draw")

    async def pieces(*_: Any) -> Any:
        yield b"pic"
        raise BadRequest("The store is away.")

    monkeypatch.setattr(desk.house.engine, "open_file", pieces)
    assert "error: The store is away." in await desk("/save chart.png")
    assert not [*tmp_path.iterdir()]  # noqa: ASYNC240


async def test_files_are_told_with_the_command_that_saves_them() -> None:
    async def draw(run: Run) -> None:
        run._channel.emit(FileAdded(File("chart.png", "image/png", 12345, "/api/runs/r/files/chart.png")))  # type: ignore[attr-defined]
        run.say("Here.")

    assert "file: chart.png (12 KB); /save chart.png" in await Desk(draw)("draw")


async def test_help_tells_every_command() -> None:
    shown = await Desk()("/help")
    assert [f"/{name}" for name in COMMANDS if f"/{name}" not in shown] == []
    assert "Ctrl-C" in shown


async def test_quit_ends_the_conversation() -> None:
    desk = Desk()
    await desk("/quit")
    assert desk.talk.is_over

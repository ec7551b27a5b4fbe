"""The person at the terminal is asked: y runs the call, anything else does not, and nobody else can answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from agentic.cli.approval import shown
from agentic.events import ApprovalNeeded
from agentic.testing.ollama import ScriptedOllama, calls, says
from agentic.testing.server import own_environment, run_agentic
from tests.http_fixtures import eventually, install
from tests.test_cli_chat_terminal import CTRL_C, CTRL_D, WAIT_S, Chat
from tests.test_http_approvals import HOSTILE

LS = ("run_command", {"command": "ls\n[y/N] y"})
ASKED = r"\? run_command: this server asks.*\n  command:\n  \| ls\n  \| \[y/N\] y\nRun it\? \[y/N\]"


@pytest.fixture
def ollama() -> ScriptedOllama:
    return ScriptedOllama()


@pytest.fixture
def env(ollama: ScriptedOllama, tmp_path: Path) -> Iterator[dict[str, str]]:
    with ollama.running() as url:
        settings = {"OLLAMA_HOST": url, "TERM": "xterm", "APPROVE": "execute"}
        yield own_environment(settings, data_dir=tmp_path / "data", path=[install(tmp_path, "hostile", HOSTILE)])


@pytest.fixture
def chat(env: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], Chat]]:
    opened: list[Chat] = []

    def open_chat() -> Chat:
        opened.append(Chat(env, tmp_path, "--agent", "react"))
        opened[-1].sees("agentic/react> ?$")
        return opened[-1]

    yield open_chat
    for one in opened:
        one.process.close(force=True)


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    return tmp_path / "data" / "marks"


def test_yes_runs_the_call_and_the_conversation_goes_on(
    chat: Callable[[], Chat], ollama: ScriptedOllama, marks: Path
) -> None:
    ollama.script(calls(LS, text="I will look."), says("There is nothing."))
    talk = chat()
    talk.process.send("list them\r")
    talk.sees(ASKED)
    assert not marks.exists()
    talk.asks("y", r"✓.*\nThere is nothing\.")
    assert marks.read_text().startswith("ls\n")
    talk.asks("and now?", "You said: and now?")


@pytest.mark.parametrize("answer", ["\r", "n\r", "yess\r", CTRL_D])
def test_anything_but_yes_does_not_run_it(
    chat: Callable[[], Chat], ollama: ScriptedOllama, marks: Path, answer: str
) -> None:
    ollama.script(calls(LS), says("As you wish."))
    talk = chat()
    talk.process.send("list them\r")
    talk.sees(ASKED)
    talk.process.send(answer)
    talk.sees("(?s)As you wish.*\nagentic/react>$")
    assert "the user has denied it" in ollama.chats[-1]["messages"][-1]["content"]
    assert not marks.exists()


def test_what_was_typed_before_the_question_is_no_answer(
    chat: Callable[[], Chat], ollama: ScriptedOllama, marks: Path
) -> None:
    ollama.script(calls(LS, text="word " * 20, delay_s=0.05), says("As you wish."))
    talk = chat()
    talk.process.send("list them\r")
    talk.sees("^word word")
    talk.process.send("y\r")
    talk.sees(ASKED)
    talk.read(0.3)
    assert not marks.exists()
    talk.asks("n", "As you wish")


def test_ctrl_c_at_the_question_stops_the_answer(chat: Callable[[], Chat], ollama: ScriptedOllama, marks: Path) -> None:
    ollama.script(calls(LS))
    talk = chat()
    talk.process.send("list them\r")
    talk.sees(ASKED)
    talk.process.send(CTRL_C)
    talk.sees("(?s)Stopped.*\nagentic/react>$")
    assert not marks.exists()
    talk.asks("hello", "You said: hello")


def test_question_that_nobody_answers_is_given_up(
    env: dict[str, str], ollama: ScriptedOllama, tmp_path: Path, marks: Path
) -> None:
    ollama.script(calls(LS), says("Nobody is there."))
    talk = Chat({**env, "APPROVAL_TIMEOUT": "0.5"}, tmp_path, "--agent", "react")
    talk.sees("agentic/react> ?$")
    talk.asks("list them", r"\[y/N\] *\n.*Nobody is there\.")
    assert not marks.exists()
    talk.process.close(force=True)


def test_ask_asks_on_a_terminal(env: dict[str, str], ollama: ScriptedOllama, tmp_path: Path, marks: Path) -> None:
    ollama.script(calls(LS), says("There is nothing."))
    command = ["-m", "agentic", "ask", "--agent", "react", "list them"]
    asking = pexpect.spawn(sys.executable, command, env=env, cwd=str(tmp_path), timeout=WAIT_S, encoding="utf-8")
    asking.expect(r"Run it\? \[y/N\] ")
    asking.sendline("Yes")
    asking.expect(r"There is nothing\.")
    asking.expect(pexpect.EOF)
    asking.close()
    assert asking.exitstatus == 0
    assert eventually(marks.exists)


@pytest.mark.parametrize("arguments", [("ask", "--agent", "react", "list them"), ("chat", "--agent", "react")])
def test_without_a_terminal_nothing_is_asked(
    env: dict[str, str], ollama: ScriptedOllama, tmp_path: Path, marks: Path, arguments: tuple[str, ...]
) -> None:
    ollama.script(calls(LS), says("I could not."))
    done = run_agentic(*arguments, env=env, folder=tmp_path, stdin="list them\n")
    assert done.stdout == "I could not.\n"
    assert "! run_command was not run: this server asks before each such call (APPROVE)." in done.stderr
    assert not marks.exists()


def test_call_is_shown_whole_and_cannot_imitate_the_question() -> None:
    needed = ApprovalNeeded(
        "1", "run", {"code": "a\x1b[2J\u202eb\r\nRun it? [y/N] y\n" + "x" * 5000, "n": [1], "none": ""}, "why", 300
    )
    assert shown(needed) == [
        "? run: why.",
        "  code:",
        "  | a␛[2J\\u202eb",
        "  | Run it? [y/N] y",
        "  | " + "x" * 5000,
        "  n:",
        "  | [1]",
        "  none:",
        "  | ",
    ]

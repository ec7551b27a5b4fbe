"""``agentic chat`` as a person has it: a process on a terminal, over a scripted Ollama; and without a terminal."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

from agentic.testing.ollama import ScriptedModel, ScriptedOllama, calls, cuts, says
from agentic.testing.server import own_environment, run_agentic
from tests.http_fixtures import LOOKUP, install

UP, CTRL_C, CTRL_D, ALT_ENTER = "\x1b[A", "\x03", "\x04", "\x1b\r"
FOREVER = says("word " * 600, delay_s=0.02)
WAIT_S = 20


class Chat:
    """``agentic chat`` on a terminal of 80 columns and 60 rows, and what the terminal shows."""

    def __init__(self, env: dict[str, str], folder: Path, *arguments: str) -> None:
        self._screen = pyte.Screen(80, 60)
        # The prompt asks the terminal where the cursor is.
        self._screen.write_process_input = lambda answer: self.process.send(answer)  # noqa: PLW0108 - there is no process yet
        self._stream = pyte.ByteStream(self._screen)
        command = ["-m", "agentic", "chat", *arguments]
        self.process = pexpect.spawn(sys.executable, command, env=env, cwd=str(folder), dimensions=(60, 80))
        self.process.delaybeforesend = None

    @property
    def shown(self) -> str:
        return "\n".join(row.rstrip() for row in self._screen.display).rstrip()

    def read(self, wait_s: float = 0.05) -> bool:
        """Show what has come; False once the process has let go of the terminal."""
        try:
            self._stream.feed(self.process.read_nonblocking(65536, wait_s))
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        return True

    def sees(self, pattern: str) -> str:
        """Wait until the screen matches; returns the screen."""
        until = time.monotonic() + WAIT_S
        while not re.search(pattern, self.shown, re.MULTILINE):
            assert self.read() and time.monotonic() < until, f"{pattern} is not on the screen:\n{self.shown}"
        return self.shown

    def asks(self, line: str, pattern: str) -> str:
        """Write a line, and wait until the screen matches and there is a new prompt."""
        self.process.send(f"{line}\r")
        return self.sees(f"(?s){pattern}.*\n\\S+>$")

    def ended(self) -> int:
        """Wait for the end; returns the exit code."""
        until = time.monotonic() + WAIT_S
        while self.read() and time.monotonic() < until:
            continue
        self.process.close()
        assert self.process.exitstatus is not None, self.shown
        return int(self.process.exitstatus)


@pytest.fixture
def ollama() -> ScriptedOllama:
    return ScriptedOllama([ScriptedModel("qwen3:8b"), ScriptedModel("small", modified_at="2020-01-01T00:00:00Z")])


@pytest.fixture
def env(ollama: ScriptedOllama, tmp_path: Path) -> Iterator[dict[str, str]]:
    with ollama.running() as url:
        settings = {"OLLAMA_HOST": url, "TERM": "xterm"}
        yield own_environment(settings, data_dir=tmp_path / "data", path=[install(tmp_path, "lookup", LOOKUP)])


@pytest.fixture
def chat(env: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Chat]]:
    opened: list[Chat] = []

    def open_chat(*arguments: str) -> Chat:
        opened.append(Chat(env, tmp_path, *arguments))
        opened[-1].sees("agentic.*> ?$")
        return opened[-1]

    yield open_chat
    for one in opened:
        one.process.close(force=True)


def test_ctrl_c_stops_the_answer_and_not_the_program(chat: Callable[..., Chat], ollama: ScriptedOllama) -> None:
    talk = chat("--agent", "chat")
    ollama.script(FOREVER)
    talk.process.send("tell me\r")
    talk.sees("^word word")
    talk.process.send("typed ahead" + CTRL_C)
    shown = talk.sees("(?s)Stopped.*typed ahead$")
    # What was typed meanwhile is not mixed into the answer.
    assert re.search(r"word\nStopped\.\n\nagentic/chat> typed ahead$", shown)
    talk.asks("", "You said: typed ahead")
    talk.process.send(CTRL_D)
    assert talk.ended() == 0
    question, answer, after = ollama.chats[-1]["messages"][-3:]
    assert (question["content"], after["content"]) == ("tell me", "typed ahead")
    assert answer["role"] == "assistant" and answer["content"].startswith("word word")


def test_ctrl_c_at_the_prompt_clears_what_is_typed_and_never_leaves(chat: Callable[..., Chat]) -> None:
    talk = chat()
    talk.process.send("half a question" + CTRL_C)
    talk.sees("^agentic>$")
    told = "Ctrl-D or /quit leaves.\n"
    talk.process.send(CTRL_C)
    talk.sees(f"{told}agentic>$")
    talk.process.send(CTRL_C)
    talk.sees(f"{told * 2}agentic>$")
    talk.process.kill(signal.SIGINT)
    talk.sees(f"{told * 3}agentic>$")
    talk.process.send(UP)
    talk.sees("^agentic> half a question$")
    talk.process.send(CTRL_C + CTRL_D)
    assert talk.ended() == 0


def test_ctrl_d_typed_during_an_answer_leaves_after_it(chat: Callable[..., Chat], ollama: ScriptedOllama) -> None:
    talk = chat("--agent", "chat")
    ollama.script(says("word " * 30, delay_s=0.02))
    talk.process.send("tell me\r")
    talk.sees("^word word")
    talk.process.send(CTRL_D)
    assert talk.ended() == 0
    assert talk.shown.count("word") == 30


def test_errors_are_one_line_and_the_conversation_goes_on(chat: Callable[..., Chat], ollama: ScriptedOllama) -> None:
    talk = chat("--agent", "chat")
    ollama.script(cuts(after=2))
    talk.asks("hello", "^word1 word2\nerror: .* broke off ")
    talk.asks("/nope", "error: There is no command /nope")
    talk.asks("hello again", "You said: hello again")
    talk.process.send("/quit\r")
    assert talk.ended() == 0


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_an_answer_is_kept_as_far_as_it_came_when_the_terminal_goes_away(
    chat: Callable[..., Chat], ollama: ScriptedOllama, sent: signal.Signals
) -> None:
    talk = chat("--agent", "chat")
    ollama.script(FOREVER)
    talk.process.send("tell me\r")
    talk.sees("^word word")
    talk.process.kill(sent)
    assert talk.ended() == 0
    again = chat()
    again.asks("/sessions 1", "> tell me\nword word")


def test_an_answer_streams_and_its_steps_are_folded(chat: Callable[..., Chat], ollama: ScriptedOllama) -> None:
    talk = chat("--agent", "react")
    ollama.script(
        calls(("lookup", {"what": "tower"}), thinking="I should look " * 20, delay_s=0.01),
        says("It is 324 m. " * 3, delay_s=0.3),
    )
    talk.process.send("How high is the tower?\r")
    talk.sees("^· thinking \\d s$")
    half = talk.sees("^It is ")
    assert "m. It is 324 m. It" not in half
    shown = talk.asks("/steps", 'I should look.*→ lookup\\(what="tower"\\)\n← tower: 324 m')
    before = shown.partition("/steps")[0]
    assert '→ lookup(what="tower") ✓ 0 s\nIt is 324 m. It is 324 m. It is 324 m.\nsource: The tower' in before
    assert "thinking" not in before


def test_models_agents_and_tools_are_listed_and_chosen(chat: Callable[..., Chat], ollama: ScriptedOllama) -> None:
    talk = chat()
    talk.asks("/model", "\\* agentic .*qwen3:8b +ollama, default\n +small:latest +ollama")
    talk.asks("/model small", "Now asking small: plain chat")
    talk.asks("/agent", "react +\\S+.*chat +\\S+")
    talk.asks("/agent react", "Now asking agentic/react@small")
    talk.asks("/tools", "lookup +Look something up. \\(read; plugin lookup\\)\n +math +Compute")
    talk.asks("hello", "You said: hello")
    assert ollama.chats[-1]["model"] == "small:latest"
    assert talk.shown.endswith("agentic/react@small>")


def test_several_lines_are_one_question_and_tab_completes(chat: Callable[..., Chat], ollama: ScriptedOllama) -> None:
    talk = chat()
    talk.process.send("one\\\rtwo" + ALT_ENTER + "```\rfence\r```\r")
    talk.sees("^You said: one\ntwo\n```\nfence\n```\n")
    for typed, completed in [("/ag\t", "> /agent$"), (" re\t", "> /agent react$")]:
        talk.process.send(typed)
        talk.sees(completed)
    talk.process.send(CTRL_C + "\x1b[200~pasted\nlines\x1b[201~\r")
    talk.sees("^You said: pasted\nlines\n")
    assert len(ollama.chats) == 2


def test_arrow_up_brings_back_the_questions_of_this_user_alone(
    chat: Callable[..., Chat], env: dict[str, str], tmp_path: Path
) -> None:
    for name in ("ann", "bob"):
        run_agentic("users", "add", name, env=env, folder=tmp_path, stdin="correct horse battery\n")
    for name in ("ann", "bob"):
        run_agentic("ask", f"a question of {name}", "--user", name, env=env, folder=tmp_path)
    talk = chat("--user", "ann")
    talk.process.send(UP * 3)
    talk.sees("> a question of ann$")
    assert "bob" not in talk.shown


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--agent", "nobody"), "no agent 'nobody'"),
        (("--model", "gpt-9"), "ollama pull gpt-9"),
        (("--user", "nobody"), "agentic users list"),
        (("--session", "0123"), "There is no conversation '0123'"),
        (("--agent", "chat", "--model", "agentic/react"), "leave one out"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_asked(
    env: dict[str, str], tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    done = run_agentic("chat", *options, env=env, folder=tmp_path, stdin="hello\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_terminal_each_line_is_a_question_and_answers_are_all_of_stdout(
    env: dict[str, str], tmp_path: Path, ollama: ScriptedOllama
) -> None:
    ollama.script(calls(("lookup", {"what": "tower"})), "It is 324 m.\x1b")
    done = run_agentic("chat", "--agent", "react", env=env, folder=tmp_path, stdin="How high?\n\nAnd now?")
    assert (done.returncode, done.stdout, done.stderr) == (0, "It is 324 m.\x1b\nYou said: And now?\n", "")
    assert len(ollama.chats[-1]["messages"]) >= 3, "it is one conversation"


def test_without_a_terminal_what_fails_is_told_and_counts(
    env: dict[str, str], tmp_path: Path, ollama: ScriptedOllama
) -> None:
    ollama.script(cuts(after=1))
    done = run_agentic("chat", "--agent", "chat", env=env, folder=tmp_path, stdin="one\n/nope\ntwo\n/quit\nthree\n")
    assert (done.returncode, done.stdout) == (1, "word1 \nYou said: two\n")
    assert [line[:6] for line in done.stderr.splitlines()] == ["error:", "error:"]


@pytest.mark.parametrize(
    ("redirected", "told"),
    [
        ("> /dev/full", "error: the output cannot be written: No space left on device"),
        (">&-", "error: there is no standard output"),
        ("<&-", "error: there is no standard input to read questions from"),
        ("| head -c 5 > /dev/null", ""),
    ],
)
def test_without_a_terminal_what_cannot_be_read_or_written_is_one_line(
    env: dict[str, str], tmp_path: Path, ollama: ScriptedOllama, redirected: str, told: str
) -> None:
    ollama.script(says("word " * 30000))
    command = f'echo hello | {sys.executable} -m agentic chat --agent chat {redirected}; exit "${{PIPESTATUS[1]}}"'
    done = subprocess.run(
        ["bash", "-c", command], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=WAIT_S * 3, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (1, "", told)


def test_chat_answers_without_a_standard_error(env: dict[str, str], tmp_path: Path, ollama: ScriptedOllama) -> None:
    command = f"echo hello | {sys.executable} -m agentic chat --agent chat 2>&-"
    done = subprocess.run(["bash", "-c", command], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "You said: hello\n")


def test_ask_tells_in_one_line_that_its_answer_cannot_be_written(
    env: dict[str, str], tmp_path: Path, ollama: ScriptedOllama
) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "agentic", "ask", "hello", "--agent", "chat"]
        done = subprocess.run(
            command, env=env, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=full, stderr=-1, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: the output cannot be written: No space left on device"
    assert "Traceback" not in done.stderr


def test_without_a_terminal_ctrl_c_ends_it(env: dict[str, str], tmp_path: Path, ollama: ScriptedOllama) -> None:
    ollama.script(FOREVER)
    command = [sys.executable, "-m", "agentic", "chat", "--agent", "chat"]
    with subprocess.Popen(
        command, env=env, cwd=tmp_path, stdin=-1, stdout=-1, stderr=-1, text=True, errors="replace"
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("one\ntwo\nthree\n")
        process.stdin.flush()
        assert process.stdout.read(5) == "word "
        process.send_signal(signal.SIGINT)
        # Its standard input stays open.
        assert process.wait(WAIT_S) == 130
        assert process.stderr is not None and "Traceback" not in process.stderr.read()
    assert len(ollama.chats) == 1

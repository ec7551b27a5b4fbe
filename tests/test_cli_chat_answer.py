"""An answer on a terminal: text as it comes, steps folded into one line, nothing that steers the terminal."""

from __future__ import annotations

import io

import pyte
import pytest
from rich.console import Console

from agentic import Citation, Run
from agentic.cli.chat_answer import Screen
from agentic.cli.chat_fold import Fold
from agentic.cli.steps import printable
from agentic.events import Event, ModelStarted, Progress, ThinkingDelta, ToolCallFinished, ToolCallStarted
from tests.kernel_in_memory import House, ScriptedProvider


class Terminal:
    """A terminal of 40 columns and a clock of its own."""

    def __init__(self, **kind: object) -> None:
        self.now = 0.0
        self.file = io.StringIO()
        given = {"force_terminal": True, "width": 40, "_environ": {"TERM": "xterm"}} | kind
        self.console = Console(file=self.file, **given)  # type: ignore[arg-type]

    def fold(self) -> Fold:
        return Fold(self.console, lambda: self.now)

    @property
    def lines(self) -> list[str]:
        screen = pyte.Screen(40, 20)
        pyte.Stream(screen).feed(self.file.getvalue().replace("\n", "\r\n"))
        rows = [row.rstrip() for row in screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows


def started(n: int, tool: str = "math", **arguments: object) -> ToolCallStarted:
    return ToolCallStarted(str(n), tool, arguments)


def finished(n: int, *, error: bool = False, tool: str = "math") -> ToolCallFinished:
    return ToolCallFinished(str(n), tool, "42", error, 0.42)


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert printable("\x1b]52;c;eA==\x07 \x9b2J \x7f\r\n\tok ä 日本") == "␛]52;c;eA==␇ \ufffd2J ␡\n\tok ä 日本"


def test_marks_that_turn_the_writing_are_shown_and_honest_text_from_right_to_left_is_not_touched() -> None:
    assert printable("invoice\u202efdp.exe \u2067x\u2069") == "invoice\\u202efdp.exe \\u2067x\\u2069"
    honest = "שלום\u200f! مي\u200cخواهم \u061c12 👨\u200d👩\u200d👧"
    assert printable(honest) == honest


def test_a_tool_cannot_steer_the_terminal_by_its_arguments() -> None:
    terminal = Terminal()
    fold = terminal.fold()
    fold.take(started(1, what="\x1b[2J\n"))
    fold.take(finished(1))
    fold.settle()
    assert "\x1b[2J" not in terminal.file.getvalue()


@pytest.mark.parametrize(
    "events",
    [
        (ModelStarted("p", "\x1b[2J"),),
        (Progress("1", "\x1b[2J\n", "running"),),
        (started(1, tool="\x1b[2J"), started(2)),
        (started(1), started(2), finished(1, tool="\x1b[2J"), finished(3, tool="\x1b[2J")),
    ],
    ids=["model", "progress", "running tool", "ended tool"],
)
def test_nothing_that_is_folded_steers_the_terminal(events: tuple[Event, ...]) -> None:
    terminal = Terminal()
    fold = terminal.fold()
    for event in events:
        fold.take(event)
        fold.draw()
    fold.settle()
    assert "\x1b[2J" not in terminal.file.getvalue()
    assert "␛[2J" in terminal.file.getvalue()


def test_one_call_is_one_line_that_is_written_anew() -> None:
    terminal = Terminal()
    fold = terminal.fold()
    for event, shown in [
        (ModelStarted("p", "qwen3:8b"), "· waiting for qwen3:8b 2 s"),
        (ThinkingDelta("hm"), "· thinking 2 s"),
        (started(1, expression="6*7"), '→ math(expression="6*7") … 2 s'),
        (finished(1), None),
    ]:
        fold.take(event)
        fold.draw()
        terminal.now += 2
        fold.draw()
        assert shown is None or terminal.lines == [shown]
    fold.settle()
    assert terminal.lines == ['→ math(expression="6*7") ✓ 0.4 s']


def test_many_calls_keep_to_one_row_and_show_the_latest() -> None:
    terminal = Terminal()
    fold = terminal.fold()
    for n in range(5):
        fold.take(started(n, expression="6*7"))
        fold.take(finished(n, error=n == 4))
    fold.draw()
    assert len(terminal.lines) == 1
    fold.settle()
    assert terminal.lines == ["→ … · math ✓ 0.4 s · math ✗ 0.4 s"]


@pytest.mark.parametrize("long", ["x" * 500, "日本語" * 100, "many words " * 50])
def test_long_arguments_keep_to_one_row_with_their_outcome(long: str) -> None:
    terminal = Terminal()
    fold = terminal.fold()
    fold.take(started(1, expression=long))
    fold.draw()
    assert len(terminal.lines) == 1
    fold.take(finished(1))
    fold.settle()
    assert len(terminal.lines) == 1
    assert terminal.lines[0].endswith("… ✓ 0.4 s")


def test_thinking_alone_leaves_how_long_it_took() -> None:
    terminal = Terminal()
    fold = terminal.fold()
    fold.take(ThinkingDelta("a"))
    terminal.now = 3.2
    fold.take(ThinkingDelta("b"))
    fold.draw()
    fold.settle()
    assert terminal.lines == ["· thought 3.2 s"]


def test_waiting_alone_leaves_no_line() -> None:
    terminal = Terminal()
    fold = terminal.fold()
    fold.take(ModelStarted("p", "m"))
    fold.draw()
    fold.settle()
    assert terminal.lines == []


def test_progress_of_a_running_call_is_told() -> None:
    terminal = Terminal()
    fold = terminal.fold()
    fold.take(started(1, "read"))
    fold.take(Progress("1", "page 3", done=0.5))
    fold.draw()
    assert terminal.lines == ["→ read() (page 3 50%) … 0 s"]


def test_a_terminal_that_cannot_erase_gets_the_settled_line_alone() -> None:
    terminal = Terminal(_environ={"TERM": "dumb"})
    fold = terminal.fold()
    fold.take(started(1))
    fold.draw()
    assert terminal.file.getvalue() == ""
    fold.take(finished(1))
    fold.settle()
    assert "math() ✓ 0.4 s" in terminal.file.getvalue()


async def test_text_steps_and_remarks_each_have_lines_of_their_own() -> None:
    async def act(run: Run) -> None:
        run.say("\n\nLet me see.")
        run.think("Hm.")
        run.say("\n\nFirst.\n")
        run.say("\nSecond \x1b[31mred")
        run.cite(Citation("https://tower.example", "The tower"))

    terminal = Terminal(width=200)
    assert await Screen(terminal.console, terminal.console).show(await House(act).ask())
    assert terminal.lines == [
        "Let me see.",
        "· thought 0 s",
        "First.",
        "",
        "Second ␛[31mred",
        "source: The tower <https://tower.example",
        ">",
    ]


async def test_a_notice_is_told_once_and_not_beside_the_answer_that_holds_it() -> None:
    async def act(run: Run) -> None:
        run.say("Done.")
        run.notice("Stopped after 5 steps.")

    terminal = Terminal(width=200)
    screen = Screen(terminal.console, terminal.console)
    house = House(act, provider=ScriptedProvider(notice="A stand-in answers."))
    for _ in range(2):
        await screen.show(await house.ask())
    answer = ["Done.", "", "Stopped after 5 steps."]
    assert terminal.lines == [*answer, "! A stand-in answers.", *answer]

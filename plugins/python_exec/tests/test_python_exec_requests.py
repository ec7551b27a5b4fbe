"""Plain requests to programs."""

from __future__ import annotations

import pytest

from agentic_python_exec.requests import program_in

PROGRAM = "```python\nprint(sum(range(10)))\n```"
CODE = "print(sum(range(10)))\n"

NOT_MEANT = [
    PROGRAM,
    f"What does this program do?\n{PROGRAM}\nDo not run it.",
    f"Explain why this would run forever:\n{PROGRAM}",
    f"Review this code before I run it:\n{PROGRAM}",
    f"How do I run this?\n{PROGRAM}",
    f"What is the running time of this?\n{PROGRAM}",
    f"What is the time complexity of this, computed by hand?\n{PROGRAM}",
    f"Run both:\n{PROGRAM}\n{PROGRAM}",
    "Run print(1)",
    "Run this:\n```js\nconsole.log(1)\n```",
    "Run this:\n```bash\nls\n```",
    "Run this:\n```\nThe quick brown fox\n```",
    "Run this:\n```\nls -la /tmp\n```",
    "Run this:\n```python\nprint(1)",
    "Run a marathon plan for me",
    "Run this:\n```python\n\n```",
    "Run this:\n" + "x = 1\n" * 10_000 + PROGRAM,
]

MEANT = [
    f"Run this:\n{PROGRAM}",
    f"run\n\n{PROGRAM}",
    f"Please execute the following code.\n{PROGRAM}",
    f"Can you run this for me?\n\n{PROGRAM}\n\nThanks!",
    f"{PROGRAM}\nWhat is the output?",
    f"{PROGRAM}\n\nWhat does this print?",
    f"What will the program output?\n{PROGRAM}",
    f"Try this out: \n{PROGRAM}",
    f"Führe das bitte aus:\n{PROGRAM}",
    f"Ejecuta este programa:\n{PROGRAM}",
    "Run this:\n```py\nprint(sum(range(10)))\n```",
    "Run this:\n```\nprint(sum(range(10)))\n```",
    f"Run this: {PROGRAM}",
    f"Plot what this gives: {PROGRAM}",
    "Run this:\r\n```Python\r\nprint(sum(range(10)))\r\n```",
]


@pytest.mark.parametrize("text", NOT_MEANT)
def test_request_that_does_not_ask_for_a_run_suggests_nothing(text: str) -> None:
    assert program_in(text) is None


@pytest.mark.parametrize("text", MEANT)
def test_fenced_program_with_a_wish_to_run_it_is_suggested(text: str) -> None:
    assert (program_in(text) or "").replace("\r", "") == CODE


def test_broken_program_that_says_it_is_python_is_run_so_that_its_error_is_seen() -> None:
    assert program_in("Run this:\n```python\nprint(\n```") == "print(\n"

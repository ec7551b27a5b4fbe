"""A run's steps as lines for people."""

from __future__ import annotations

import pytest

from agentic.events import ToolCallFinished
from agentic.server.dialects.steps import line


@pytest.mark.parametrize(
    ("result", "error", "shown"),
    [
        ("391", False, "← 391"),
        ("Error: ')' is missing.", True, "← Error: ')' is missing."),
        ("the shop is closed", True, "← error: the shop is closed"),
        ("Error: a line of a log", False, "← Error: a line of a log"),
    ],
)
def test_result_is_called_an_error_once(result: str, error: bool, shown: str) -> None:
    assert line(ToolCallFinished("c-1", "math", result, error)) == shown

"""A run's steps as lines for people."""

from __future__ import annotations

import pytest

from agentic.events import ToolCallFinished
from agentic.server.dialects.steps import line


@pytest.mark.parametrize(
    ("result", "error", "shown"),
    [
        ("391", False, "← 391"),
        ("Wrong input: ')' is missing.", True, "✗ Wrong input: ')' is missing."),
        ("the shop is closed", True, "✗ the shop is closed"),
        ("Error: a line of a log", False, "← Error: a line of a log"),
    ],
)
def test_result_that_is_an_error_is_marked(result: str, error: bool, shown: str) -> None:
    assert line(ToolCallFinished("c-1", "math", result, error)) == shown

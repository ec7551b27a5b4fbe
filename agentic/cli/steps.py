"""What happens in a run, in words for people on a terminal."""

from __future__ import annotations

import json

from agentic.events import Decided, Event, ToolCallStarted
from agentic.server.dialects.steps import line

# Marks that embed, override or isolate a direction, and old ones that change shapes, make one text look like another.
# Those of honest text from right to left, U+200E, U+200F and U+061C, only stand for a letter of their direction.
_TURNING = (*range(0x202A, 0x202F), *range(0x2066, 0x2070))
_SHOWN: dict[int, int | str | None] = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t\r"},
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
    0x0D: None,
    0x7F: 0x2421,
    **{code: f"\\u{code:04x}" for code in _TURNING},
}


def printable(text: str) -> str:
    """``text`` with its control characters made visible, so that no model and no page can steer the terminal.

    So are the marks that turn the direction of writing: what is on the screen is what there is.
    """
    return encodable(text).translate(_SHOWN)


def encodable(text: str) -> str:
    """The text without halves of emoji, which can be written nowhere."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def call(event: ToolCallStarted) -> str:
    """A call as it would be written in a program: ``math(expression="17 * 23")``."""
    arguments = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in event.arguments.items())
    return f"{event.tool}({arguments})"


def step(event: Event) -> str:
    """An event as a line for people; empty for what is none."""
    return f"agent {event.agent}: {event.reason}" if isinstance(event, Decided) else line(event)

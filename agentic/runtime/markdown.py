"""A conversation as a page of Markdown, for people; programs take the documented JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentic.messages import Json, Message, dump, message_from_json

_WHO = {"user": "User", "assistant": "Assistant", "system": "Instruction", "tool": "Result of a tool"}
_FENCE = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)
_OPENS = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")


def as_markdown(title: str, conversation: Json) -> str:
    """A conversation from :meth:`Conversations.read` under its title; a picture is told of, and not shown."""
    about = (
        f"Conversation {conversation['session_id']}, begun {conversation['created_at']}, "
        f"last changed {conversation['updated_at']}."
    )
    parts = [f"# {title or 'Conversation'}", about, *map(_message, conversation["messages"])]
    return "\n\n".join(parts) + "\n"


def _message(item: Json) -> str:
    message = message_from_json(item)
    who = f"{_WHO[message.role]}{f' {message.name}' if message.name else ''}"
    head = f"## {who}, {item['timestamp']}{' (incomplete)' if item.get('incomplete') else ''}"
    return "\n\n".join(part for part in (head, *_content(message)) if part)


def _content(message: Message) -> Sequence[str]:
    text = message.text.strip()
    said = _fenced(text) if message.role == "tool" else _closed(text)
    pictures = [f"*(a picture, {image.media_type})*" for image in message.images]
    calls = [
        f"*Calls {call.name}:*\n\n{_fenced(call.malformed or dump(call.arguments, indent=True).decode())}"
        for call in message.tool_calls
    ]
    return [said, *pictures, *calls]


def _fenced(text: str) -> str:
    """A block that shows the text as it is, with a fence longer than any within it."""
    fence = "`" * max([3, *(len(found) + 1 for found in _FENCE.findall(text))])
    return f"{fence}\n{text}\n{fence}"


def _closed(text: str) -> str:
    """The text with its last block of code closed: an answer that was cut off would swallow all that follows."""
    fence = ""
    for line in text.split("\n"):
        if fence:
            closes = line.strip()
            if closes.startswith(fence) and not closes.strip(fence[0]) and not line.startswith("    "):
                fence = ""
        elif opens := _OPENS.match(line):
            fence = opens[1]
    return f"{text}\n{fence}" if fence else text

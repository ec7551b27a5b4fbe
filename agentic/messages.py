"""Messages in the shape both ends of the wire speak (OpenAI chat completions): role, content parts, tool calls."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

Json = dict[str, Any]
DATA_URL = re.compile(
    r"data:(?P<media_type>image/[a-z0-9.+-]+)(?:;[a-z0-9-]+=[^;,\s]*)*;base64", re.IGNORECASE | re.ASCII
)
"""A picture's ``data:`` URL up to its comma."""
_LONGEST_HEAD = 1000
Role = Literal["system", "user", "assistant", "tool"]

LEVELS = 100
TOO_DEEP = "(nested too deeply to be shown)"
TOO_LONG = "(a number too long to be shown)"
_LONGEST_BITS = 10_000


@dataclass(frozen=True, slots=True)
class TextPart:
    """A stretch of text within a message's content."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture within a message's content: its media type, such as ``image/png``, and its bytes in base64."""

    media_type: str
    data: str

    @property
    def url(self) -> str:
        """The picture as a ``data:`` URL (RFC 2397)."""
        return f"data:{self.media_type};base64,{self.data}"


Part = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to call a tool.

    ``arguments`` is the decoded JSON object. Where the model wrote something that is no JSON object, ``malformed``
    holds it as it came and ``arguments`` is empty: the toolbox tells the model so instead of running the tool.
    """

    id: str
    name: str
    arguments: Json
    malformed: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn's message. ``tool_call_id``, ``name`` (the tool's) and ``untrusted`` belong to role ``tool`` only.

    ``untrusted``: known to hold the words of strangers, also where that tool is not installed any more.
    """

    role: Role
    content: str | tuple[Part, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""
    untrusted: bool = False

    @property
    def text(self) -> str:
        """The content's text, its parts joined."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """The content's pictures, in their order."""
        if isinstance(self.content, str):
            return ()
        return tuple(part for part in self.content if isinstance(part, ImagePart))


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call, or of a whole run."""

    prompt: int = 0
    completion: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.prompt + other.prompt, self.completion + other.completion)

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion


def call_to_json(call: ToolCall) -> Json:
    """A tool call as OpenAI writes it: ``arguments`` is a JSON-encoded string."""
    arguments = call.malformed or dump(call.arguments).decode()
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def call_from_json(data: Mapping[str, Any]) -> ToolCall:
    """Read a tool call written by :func:`call_to_json` or by a client."""
    function = data["function"]
    return tool_call(data["id"], function["name"], function.get("arguments") or "{}")


def tool_call(call_id: str, name: str, arguments: str | Json) -> ToolCall:
    """A tool call from a model's own words: ``arguments`` decoded where it is a JSON object, else kept as malformed."""
    if isinstance(arguments, dict):
        return ToolCall(call_id, name, arguments)
    try:
        decoded = json.loads(arguments, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict):
        return ToolCall(call_id, name, {}, malformed=arguments)
    return ToolCall(call_id, name, decoded)


def message_to_json(message: Message) -> Json:
    """A message as OpenAI writes it, and whether it is untrusted; absent fields are left out."""
    content: Any = message.content
    if not isinstance(content, str):
        content = [_part_to_json(part) for part in content]
    data: Json = {"role": message.role, "content": content}
    if message.tool_calls:
        data["tool_calls"] = [call_to_json(call) for call in message.tool_calls]
    if message.tool_call_id:
        data["tool_call_id"] = message.tool_call_id
    if message.name:
        data["name"] = message.name
    if message.untrusted:
        data["untrusted"] = True
    return data


def message_from_json(data: Mapping[str, Any]) -> Message:
    """Read a message written by :func:`message_to_json`."""
    content = data.get("content") or ""
    if not isinstance(content, str):
        content = tuple(_part_from_json(part) for part in content)
    return Message(
        role=data["role"],
        content=content,
        tool_calls=tuple(call_from_json(call) for call in data.get("tool_calls", ())),
        tool_call_id=data.get("tool_call_id", ""),
        name=data.get("name", ""),
        untrusted=data.get("untrusted", False),
    )


def image_part(url: str) -> ImagePart:
    """The picture in a ``data:`` URL, which may have parameters, and line breaks as ``base64`` of the shell makes them.

    Raises ValueError for any other URL, and for what is no base64.
    """
    head, _, body = url.strip().partition(",")
    match = DATA_URL.fullmatch(head) if len(head) <= _LONGEST_HEAD else None
    data = "".join(body.split())
    if match is None or not data or len(data) % 4 or data.endswith("==="):
        raise ValueError("not a data: URL of a picture in base64")
    base64.b64decode(data, validate=True)
    return ImagePart(match["media_type"].lower(), data)


def _part_to_json(part: Part) -> Json:
    if isinstance(part, ImagePart):
        return {"type": "image_url", "image_url": {"url": part.url}}
    return {"type": "text", "text": part.text}


def _part_from_json(part: Mapping[str, Any]) -> Part:
    return image_part(part["image_url"]["url"]) if part["type"] == "image_url" else TextPart(part["text"])


def dump(value: Any, *, indent: bool = False) -> bytes:
    """The value as JSON in UTF-8, whatever a model or a tool has put into it.

    Numbers that JSON has no word for (NaN, infinity) become null. What is nested more deeply than can be written is
    cut after LEVELS levels and says so. Raises TypeError for what is no JSON value.
    """
    import orjson

    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else None)
    except TypeError:
        return _dump_unusual(value, indent=indent)


def _dump_unusual(value: Any, *, indent: bool) -> bytes:
    """JSON that orjson refuses: integers over 64 bits, halves of emoji, more than 254 levels."""
    layout: Json = {"allow_nan": False, **({"indent": 2} if indent else {"separators": (",", ":")})}
    try:
        return json.dumps(value, **layout).encode()
    except (ValueError, RecursionError):
        return json.dumps(_writable(value, LEVELS), **layout).encode()


def _writable(value: Any, levels: int) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and value.bit_length() > _LONGEST_BITS:
        return TOO_LONG
    if not isinstance(value, (dict, list, tuple)):
        return value
    if levels == 0:
        return TOO_DEEP
    if isinstance(value, dict):
        return {key: _writable(item, levels - 1) for key, item in value.items()}
    return [_writable(item, levels - 1) for item in value]


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")

"""How many tokens a prompt takes: guessed from its bytes, and mended by what the model itself has counted so far."""

from __future__ import annotations

from collections.abc import Sequence

from agentic.messages import Message, dump
from agentic.ports.model import ModelRequest, ToolSpec

GUESS = 1 / 3.5
"""Tokens of a byte of UTF-8: a little more than English prose has, and near the truth for other scripts."""
_PICTURE = 3000
_AROUND = 20
"""Bytes that stand for what a chat template puts around a message or a tool."""
_WORTH_LEARNING = 400
_SOUND = (0.1, 1.2)
_FULL = 0.9


class Gauge:
    """Tokens by model. One a kernel: what it learns is worth little, and lost with the process.

    What a model counted at its last long prompt is nearer to the next one than any guess: it knows the model's
    vocabulary and the language that is spoken. A rise is believed at once and a fall slowly, since a prompt that is
    taken for longer than it is loses an old message, and one that is taken for shorter loses its beginning unseen.
    """

    def __init__(self) -> None:
        self._by_model: dict[str, float] = {}

    def tokens(self, model: str, size: int) -> int:
        """Tokens of ``size`` bytes for this model."""
        return round(size * self._by_model.get(model, GUESS))

    def size(self, model: str, tokens: int) -> int:
        """The bytes that come to this many tokens."""
        return int(tokens / self._by_model.get(model, GUESS))

    def learn(self, request: ModelRequest, counted: int, context: int | None = None) -> None:
        """Take what a model has counted for the prompt of a request. Short prompts, and odd counts, teach nothing.

        A count that fills the ``context`` may be of a prompt that its server has cut, and is believed as a rise alone.
        """
        if counted < _WORTH_LEARNING:
            return
        rate = counted / (size_of(request.messages) + size_of_tools(request.tools))
        if not _SOUND[0] <= rate <= _SOUND[1]:
            return
        if context is not None and counted >= context * _FULL:
            rate = max(rate, self._by_model.get(request.model, GUESS))
        known = self._by_model.get(request.model, rate)
        self._by_model[request.model] = max(rate, 0.9 * known + 0.1 * rate)


def size_of(messages: Sequence[Message]) -> int:
    """Bytes of messages as a model reads them; a picture counts for about what vision models make of one."""
    return sum(map(size_of_one, messages))


def size_of_one(message: Message) -> int:
    """Bytes of one message."""
    text = message.text
    size = _AROUND + (len(text) if text.isascii() else len(text.encode(errors="replace")))
    size += _PICTURE * len(message.images)
    for call in message.tool_calls:
        size += _AROUND + len(call.name) + len(call.malformed or dump(call.arguments))
    return size


def size_of_tools(tools: Sequence[ToolSpec]) -> int:
    """Bytes of tools as models are told of them."""
    return sum(_AROUND + len(tool.name) + len(tool.description) + len(dump(tool.parameters)) for tool in tools)

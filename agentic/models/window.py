"""What of a conversation fits into a model's context: the newest turns, whole, under the instructions.

A server that is given more than fits cuts it without a word, or refuses it. So the oldest turns are left out here, as a
block, so that the turns that follow find the same beginning (model servers reuse what they have read before); then, of
the turn that is answered, the longest results of tools are cut short. Each is told with a Notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agentic.events import Notice
from agentic.messages import Message
from agentic.models.gauge import Gauge, size_of, size_of_one, size_of_tools
from agentic.models.ledger import Log
from agentic.ports.model import ModelInfo, ToolSpec

BLOCK = 4
"""Turns are left out by a quarter of the room at a time."""
SHORTEST = 400
"""Bytes of a tool's result that are always kept."""


@dataclass(frozen=True, slots=True)
class Parted:
    """A conversation by what may be left out: instructions stay, turns go whole, the oldest first.

    A turn begins with a user message, unless calls before it still wait for their results: those are never parted.
    """

    kept: tuple[Message, ...]
    turns: tuple[tuple[Message, ...], ...]

    def first(self, number: int) -> list[Message]:
        """The messages of the first turns."""
        return [message for turn in self.turns[:number] for message in turn]

    def after(self, number: int) -> list[Message]:
        """The messages of all but the first turns."""
        return [message for turn in self.turns[number:] for message in turn]


class Window:
    """One run's view of its model's context.

    ``answer``: the tokens that the client allows for the answer. ``pinned``: messages that stay as instructions do.
    """

    def __init__(self, info: ModelInfo, gauge: Gauge, log: Log, *, answer: int | None = None) -> None:
        self._info = info
        self._gauge = gauge
        self._log = log
        self._answer = answer
        self.pinned: tuple[Message, ...] = ()
        self._told: set[str] = set()
        self._left_out = 0
        self._tools: tuple[Sequence[ToolSpec], int] = ((), 0)

    def room(self, tools: Sequence[ToolSpec]) -> int | None:
        """Bytes that messages may have beside these tools and the answer; None where the context is not known."""
        if not self._info.context:
            return None
        if self._tools[0] is not tools:
            self._tools = (tools, size_of_tools(tools))
        half = self._info.context // 2
        tokens = self._info.context - min(self._answer or half // 2, half)
        return max(0, self._gauge.size(self._info.id, tokens) - self._tools[1])

    def fit(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> Sequence[Message]:
        """The messages that fit; a Notice tells of what does not."""
        room = self.room(tools)
        if room is None or (excess := size_of(messages) - room) <= 0:
            return messages
        parted = part(messages, self.pinned)
        dropped = turns_to_drop(parted, excess, room)
        left_out = len(parted.first(dropped))
        if left_out > self._left_out:
            self._left_out = left_out
            self._tell(f"The conversation is longer than {self.name}: its first {_were(left_out)} left out.")
        kept = [*parted.kept, *parted.after(dropped)]
        over = size_of(kept) - room
        return kept if over <= 0 else self._shortened(kept, over)

    @property
    def name(self) -> str:
        """The context, for people."""
        return f"the model's context of {self._info.context:,} tokens"

    def _shortened(self, messages: Sequence[Message], over: int) -> Sequence[Message]:
        """The messages with the longest results of tools cut, so that all of them are shorter by ``over`` bytes."""
        sizes = [size_of_one(message) for message in messages if message.role == "tool"]
        longest = level(sizes, over)
        if longest < max(sizes, default=0):
            self._tell(f"What tools have found is longer than {self.name}: the longest results were cut.")
        if sum(max(0, size - longest) for size in sizes) < over:
            self._tell(f"The request is longer than {self.name}: the model may not have seen all of it.")
        return [_cut(message, longest) if message.role == "tool" else message for message in messages]

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._log.emit(Notice(text))


def part(messages: Sequence[Message], pinned: Sequence[Message] = ()) -> Parted:
    """Part a conversation into what stays and the turns."""
    answered = {message.tool_call_id for message in messages if message.role == "tool"}
    kept: list[Message] = []
    turns: list[list[Message]] = []
    waiting: set[str] = set()
    for message in messages:
        if message.role == "system" or message in pinned:
            kept.append(message)
            continue
        if not turns or (message.role == "user" and not waiting):
            turns.append([])
        turns[-1].append(message)
        waiting |= {call.id for call in message.tool_calls} & answered
        waiting.discard(message.tool_call_id)
    return Parted(tuple(kept), tuple(map(tuple, turns)))


def turns_to_drop(parted: Parted, excess: int, room: int) -> int:
    """How many of the oldest turns are left out where the whole is ``excess`` bytes longer than ``room``."""
    block = max(1, room // BLOCK)
    wanted = -(-excess // block) * block
    dropped = 0
    for number, turn in enumerate(parted.turns[:-1], 1):
        dropped += size_of(turn)
        if dropped >= wanted:
            return number
    return max(0, len(parted.turns) - 1)


def level(sizes: Sequence[int], over: int) -> int:
    """The length to which the longest of the sizes are cut, so that ``over`` bytes go; SHORTEST at least."""
    ordered = sorted(sizes, reverse=True)
    for number, below in enumerate([*ordered[1:], 0], 1):
        saved = sum(ordered[:number]) - number * below
        if saved >= over:
            return max(SHORTEST, below + (saved - over) // number)
    return SHORTEST


def _cut(message: Message, longest: int) -> Message:
    text = message.text
    encoded = text.encode(errors="replace")
    if size_of_one(message) <= longest:
        return message
    note = f"\n[Cut to fit the model's context: the beginning of {len(text):,} characters.]"
    kept = encoded[: max(0, longest - len(note) - 20)].decode(errors="ignore")
    return replace(message, content=kept + note)


def _were(number: int) -> str:
    return "message was" if number == 1 else f"{number} messages were"

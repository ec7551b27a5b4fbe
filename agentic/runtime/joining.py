"""What a client sends, joined to what is stored of its conversation: nothing twice, and nothing that no model takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agentic.messages import Json, Message, message_from_json


def join(
    stored: Sequence[Json], sent: Sequence[Message], *, goes_on: bool = False
) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """All messages for the model, and those of them that are new.

    A client may send only what is new, or the history as well. What it repeats is recognised and not taken twice. A
    client whose history differs from what is stored keeps its own (it has edited it): then the model sees that, and
    what follows its last answer is new. System messages count for the request that sends them; one that sends none
    goes on under those sent last. ``goes_on``: all that was sent follows what is stored, and repeats nothing of it.
    """
    # What a failed run left behind without a word says nothing to a model, and no client has seen it.
    stored = [item for item in stored if item["content"] or not item.get("incomplete")]
    kept = [message_from_json(item) for item in stored]
    systems = tuple(message for message in sent if message.role == "system")
    before = systems or tuple(_last_systems(kept))
    new_systems = () if list(systems) == _last_systems(kept) else systems
    past = [message for message in kept if message.role != "system"]
    talk = [message for message in sent if message.role != "system"]
    # The client has never seen internal results, so its history is held against the rest.
    shown = zip(stored, kept, strict=True)
    seen = [message for item, message in shown if not item.get("internal") and message.role != "system"]
    repeated = 0 if goes_on else _overlap(seen, talk)
    answers = [n for n, message in enumerate(talk) if message.role == "assistant"]
    if repeated == 0 and answers and not goes_on:
        fresh = talk[answers[-1] + 1 :]
        return named((*before, *talk)), (*new_systems, *fresh)
    fresh = talk[repeated:]
    return named((*before, *past, *fresh)), (*new_systems, *fresh)


def brought(sent: Sequence[Message]) -> list[Message]:
    """The results of calls that a client brings: those after its last assistant message, whatever it says besides."""
    answers = [n for n, message in enumerate(sent) if message.role == "assistant"]
    return [message for message in sent[answers[-1] + 1 if answers else 0 :] if message.role == "tool"]


def named(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages, each tool result with the name of its tool: OpenAI's clients send the call's id alone."""
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    return tuple(
        replace(message, name=names.get(message.tool_call_id, ""))
        if message.role == "tool" and not message.name
        else message
        for message in messages
    )


def answered(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages without calls that never came to a result: a client may drop what it was to run, models may not."""
    results = {message.tool_call_id for message in messages if message.role == "tool"}
    kept = []
    for message in messages:
        calls = tuple(call for call in message.tool_calls if call.id in results)
        if calls != message.tool_calls:
            message = replace(message, tool_calls=calls)  # noqa: PLW2901
            if not (calls or message.content):
                continue
        kept.append(message)
    return tuple(kept)


def _overlap(seen: Sequence[Message], talk: Sequence[Message]) -> int:
    """How many of the first messages sent are the last ones stored, in time linear in both."""
    sent = [_comparable(message) for message in talk]
    borders = _borders(sent)
    matched = 0
    # No more of them can be repeated than were sent, so a whole match can only come with the last.
    for message in seen[-len(sent) :] if sent else ():
        key = _comparable(message)
        while matched and key != sent[matched]:
            matched = borders[matched - 1]
        matched += key == sent[matched]
    return matched


def _borders(keys: Sequence[tuple[str, ...]]) -> list[int]:
    """For each beginning of ``keys``, how long the longest shorter beginning is that also ends it."""
    borders = [0] * len(keys)
    matched = 0
    for place in range(1, len(keys)):
        while matched and keys[place] != keys[matched]:
            matched = borders[matched - 1]
        matched += keys[place] == keys[matched]
        borders[place] = matched
    return borders


def _comparable(message: Message) -> tuple[str, ...]:
    # Clients give back an empty answer as null and drop what they do not know, so only this can be compared.
    return message.role, message.text, message.tool_call_id


def _last_systems(kept: Sequence[Message]) -> list[Message]:
    """The system messages of the last request that had any: the last unbroken run of them."""
    systems: list[Message] = []
    for message in reversed(kept):
        if message.role == "system":
            systems.insert(0, message)
        elif systems:
            break
    return systems

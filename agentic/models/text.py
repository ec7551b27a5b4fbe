"""Tools for models that only write: a written form for calls, a strict parser, and one turn to mend it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from agentic.messages import Message, ToolCall, Usage, tool_call
from agentic.models.ask import Ask
from agentic.models.plain import as_plain, described, with_instruction, write_calls
from agentic.models.whole import whole
from agentic.ports.model import ModelDelta

INSTRUCTION = """You can use tools. To call one, end your message with these two lines and nothing after them:
Action: the tool's name
Input: its arguments as one JSON object
You will then be given an Observation. To answer, just write the answer without these lines.{must}
Tools:
{tools}"""
REPAIR = """That call cannot be read. Write it again: one line "Action: NAME", one line "Input: {...}" with one JSON \
object, nothing else. Names: """
MARK = "Action:"
CALL = re.compile(r"Action:[ \t]*(?P<name>[^\n]*)\n\s*Input:[ \t]*(?P<input>\{.*\})\s*", re.DOTALL)


async def text(ask: Ask) -> AsyncGenerator[ModelDelta, None]:
    """Text before a call is passed on as it comes; a call that cannot be read gets one turn to be mended."""
    must = "" if ask.choice == "auto" else f" You must call {_named(ask)} now."
    prompt = with_instruction(
        as_plain(ask.messages, write_calls), INSTRUCTION.format(must=must, tools=described(ask.tools))
    )
    # The same words may become the answer, so what the client asked of that holds; a call cut short is mended.
    sampling = replace(ask.sampling, stop=(*ask.sampling.stop, "\nObservation"))
    splitter, said, usage, finish = Splitter(), "", Usage(), "stop"
    async with aclosing(ask.caller.stream(prompt, sampling=sampling, mode="text")) as deltas:
        async for delta in deltas:
            usage, finish = delta.usage or usage, delta.finish or finish
            if delta.thinking:
                yield ModelDelta(thinking=delta.thinking)
            if shown := splitter.feed(delta.text):
                said += shown
                yield ModelDelta(shown)
    if rest := splitter.rest():
        said += rest
        yield ModelDelta(rest)
    if not splitter.held and ask.choice == "auto":
        yield ModelDelta(finish=finish, usage=usage)
        return
    call = parse_call(splitter.held)
    if call is None or call.name not in {tool.name for tool in ask.tools}:
        call, mended = await _mend(ask, prompt, splitter.held or said, call)
        usage += mended
    yield ModelDelta(calls=(call,), finish="tool_calls", usage=usage)


class Splitter:
    """Parts a stream of text into what comes before a line that begins with ``Action:`` and what is held from there.

    Nothing that may become that line is shown: at most the beginning of one line waits.
    """

    def __init__(self) -> None:
        self.held = ""
        self._undecided = ""
        self._ordinary = False

    def feed(self, piece: str) -> str:
        """What of the text so far can be shown now."""
        shown = ""
        for part in piece.splitlines(keepends=True):
            if self.held:
                self.held += part
            elif self._ordinary:
                shown += part
            else:
                shown += self._decide(part)
            if part.endswith("\n"):
                shown += self.rest()
                self._ordinary = False
        return shown

    def rest(self) -> str:
        """What still waits to be decided, given up."""
        rest, self._undecided = self._undecided, ""
        return rest

    def _decide(self, part: str) -> str:
        line = self._undecided + part
        start = line.lstrip()
        self._undecided = ""
        if start.startswith(MARK):
            self.held = start
            return ""
        if MARK.startswith(start):
            self._undecided = line
            return ""
        self._ordinary = True
        return line


def parse_call(written: str) -> ToolCall | None:
    """The call in a held text, or None if it does not keep to the form."""
    match = CALL.fullmatch(written.split("\nObservation", 1)[0].strip())
    if match is None:
        return None
    call = tool_call("", match["name"].strip(), match["input"].strip())
    return None if call.malformed else call


async def _mend(ask: Ask, prompt: Sequence[Message], written: str, call: ToolCall | None) -> tuple[ToolCall, Usage]:
    names = ", ".join(tool.name for tool in ask.tools)
    again = [*prompt, Message("assistant", written), Message("user", REPAIR + names)]
    mended = await whole(ask.caller.stream(again, sampling=ask.deciding, mode="text"))
    start = mended.text.find(MARK)
    found = parse_call(mended.text[start:]) if start >= 0 else None
    if ask.choice != "auto":
        if found is None or found.name not in {tool.name for tool in ask.tools}:
            raise ask.none_called()
        return found, mended.usage
    return found or call or ToolCall("", _guess(written), {}, malformed=written), mended.usage


def _guess(written: str) -> str:
    return written.removeprefix(MARK).strip().split("\n", 1)[0].strip() or "unknown"


def _named(ask: Ask) -> str:
    return "one of the tools" if ask.choice == "required" else f"the tool {ask.choice}"

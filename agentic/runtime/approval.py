"""Who lets a tool run: the operator's policy, and the person who is asked where it says so.

A call that writes or executes may have been put into the model's mouth by a page it has read. So once a run holds what
an untrusted tool has found, such a call waits for a person, or is refused where the client did not offer to ask one.
That the user's message holds the same command makes no exception: short commands are in many messages, and pages can
be quoted. Calls that the model wishes for in one breath are judged by what it had read before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from agentic.errors import Conflict, ToolError
from agentic.events import ApprovalGiven, ApprovalNeeded, Notice
from agentic.messages import Message, ToolCall
from agentic.models.plain import is_untrusted
from agentic.ports.tool import Traits
from agentic.runtime.budget import Clock
from agentic.runtime.channel import Channel

logger = logging.getLogger(__name__)

CONVERSATION = "this conversation"
"""What has brought in untrusted text, where it was there before the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Which calls wait for a person: ``approve`` holds risks and names of tools, ``timeout_s`` how long they wait."""

    approve: frozenset[str] = frozenset()
    after_untrusted: Literal["ask", "allow"] = "ask"
    timeout_s: float = 300

    def always_asks(self, tool: str, traits: Traits) -> bool:
        """Whether each call of the tool waits for a person."""
        return bool(self.approve & {tool, traits.risk})

    def asks_after(self, source: str, traits: Traits) -> bool:
        """Whether such a call waits for a person because of what ``source`` has brought in."""
        return bool(source) and self.after_untrusted == "ask" and traits.risk != "read"


@dataclass(frozen=True, slots=True)
class _Waiting:
    needed: ApprovalNeeded
    answered: asyncio.Future[ApprovalGiven]


class Approvals:
    """The calls of one run that wait for a person. While one does, the run's clock stands still."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}

    @property
    def waiting(self) -> list[ApprovalNeeded]:
        """What waits, in the order in which it was asked for."""
        return [one.needed for one in self._waiting.values() if not one.answered.done()]

    def answer(self, call_id: str, *, approved: bool, by: str, reason: str = "") -> None:
        """Approve or deny a call. Raises Conflict if it does not wait, or not any more."""
        one = self._waiting.get(call_id)
        if one is None or one.answered.done():
            raise Conflict(f"No call '{call_id[:64]}' of this run waits for approval.", param="call_id")
        one.answered.set_result(ApprovalGiven(call_id, approved, by, reason))

    async def settled(self, call_id: str) -> None:
        """Wait until a call waits no more: answered, too late, or its run has ended."""
        if (one := self._waiting.get(call_id)) is not None:
            await asyncio.wait([one.answered])

    async def ask(self, call: ToolCall, reason: str, timeout_s: float) -> ApprovalGiven:
        """Wait for a person's answer; after ``timeout_s`` seconds it is no. Raises ToolError for an id that waits."""
        if call.id in self._waiting:
            raise ToolError("Another call with the same id waits for approval; it was not run.")
        needed = ApprovalNeeded(call.id, call.name, call.arguments, reason, timeout_s)
        self._channel.emit(needed)
        self._waiting[call.id] = one = _Waiting(needed, asyncio.get_running_loop().create_future())
        try:
            with self._clock.paused():
                await asyncio.wait([one.answered], timeout=timeout_s)
            if one.answered.done():
                given = one.answered.result()
            else:
                given = ApprovalGiven(
                    call.id, False, reason=f"nobody answered within {timeout_s:g} s (APPROVAL_TIMEOUT)"
                )
        finally:
            one.answered.cancel()
            del self._waiting[call.id]
        self._channel.emit(given)
        return given


@dataclass(slots=True, eq=False)
class Gate:
    """Lets the calls of one run through, asks a person, or refuses. ``can_ask``: the client has offered to ask."""

    policy: Policy
    approvals: Approvals
    channel: Channel
    can_ask: bool
    source: str = ""
    _denied: dict[str, str] = field(default_factory=dict, init=False)
    _told: set[str] = field(default_factory=set, init=False)

    def has_read(self, tool: str, traits: Traits) -> None:
        """Note that the tool has run: an untrusted one has brought in the words of strangers, also by failing."""
        if traits.untrusted and not self.source:
            self.source = tool

    async def admit(self, call: ToolCall, traits: Traits, source: str, key: str) -> None:
        """Return once the call may run; raises ToolError, for the model to read, if it may not.

        ``source`` had brought in untrusted text when the model wished for the call; equal calls have equal keys.
        """
        always, after = self.policy.always_asks(call.name, traits), self.policy.asks_after(source, traits)
        if not (always or after):
            return
        reason = _reason(call.name, source if after else "", always=always)
        if not self.can_ask:
            raise ToolError(self._refusal(call.name, reason, source if not always else ""))
        if key not in self._denied:
            logger.info("[Approval] Asked: call=%s tool=%s", call.id, call.name)
            given = await self.approvals.ask(call, reason, self.policy.timeout_s)
            logger.info("[Approval] %s: call=%s tool=%s", "Given" if given.approved else "Denied", call.id, call.name)
            if given.approved:
                return
            who = "the user has denied it" if given.by else "no approval came"
            why = f" ({given.reason})" if given.reason else ""
            self._denied[key] = f"{call.name} was not run: {who}{why}. Do not call it with these arguments again."
        raise ToolError(self._denied[key])

    def _refusal(self, tool: str, reason: str, source: str) -> str:
        """What the model is told of a call that nobody could be asked about; the user is told once a tool."""
        way = "a client that asks for approval can run it"
        if source == CONVERSATION:
            way = "it can be run in a new conversation, or by a client that asks for approval"
        elif source:
            way = "they can ask for it in their next message, or use a client that asks for approval"
        if tool not in self._told:
            self._told.add(tool)
            self.channel.emit(Notice(f"{tool} was not run: {reason}. What can be done: {way}."))
        return (
            f"{tool} was not run. It needs a person's approval: {reason}. This client cannot ask for it. "
            f"Do not call it again. Go on without it, and tell the user that it was not run and that {way}."
        )


def source_in(messages: Sequence[Message], untrusted: frozenset[str]) -> str:
    """CONVERSATION if a result of an untrusted tool is among the messages that a run begins with, else nothing."""
    return CONVERSATION if any(is_untrusted(message, untrusted) for message in messages) else ""


def _reason(tool: str, source: str, *, always: bool) -> str:
    reasons = ["this server asks before each such call (APPROVE)"] if always else []
    if source == CONVERSATION:
        reasons.append(f"{source} holds text from outside, which may have led to the call")
    elif source:
        reasons.append(f"{source} has brought in text from outside, which may have led to the call")
    return "; ".join(reasons)

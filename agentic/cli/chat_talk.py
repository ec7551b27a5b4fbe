"""A conversation as ``agentic chat`` holds it: who asks whom, in which session, and what answers now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentic.cli.choice import Choice
from agentic.errors import AgenticError, NotFound
from agentic.messages import Message, message_from_json

if TYPE_CHECKING:
    from agentic.cli.chat_answer import Screen
    from agentic.kernel import Kernel
    from agentic.ports.space import Principal
    from agentic.runtime.conversations import Conversations
    from agentic.runtime.run import LiveRun


@dataclass(slots=True, eq=False)
class Talk:
    """One principal's conversation. ``session_id`` is None, and ``run_id`` empty, before the first answer.

    ``answers`` shows a run and tells whether it was answered. ``is_over`` once the person has taken leave.
    """

    kernel: Kernel
    principal: Principal
    screen: Screen
    answers: Callable[[LiveRun], Awaitable[bool]]
    choice: Choice = field(default_factory=Choice)
    session_id: str | None = None
    run_id: str = ""
    is_over: bool = False
    _live: LiveRun | None = None
    _work: asyncio.Task[bool] | None = None

    @property
    def model(self) -> str:
        """The ``model`` value of the next question."""
        return self.choice.value(self.kernel.settings.default_model)

    @property
    def conversations(self) -> Conversations:
        """The principal's stored conversations."""
        return self.kernel.engine.conversations(self.principal)

    async def choose(self, wanted: Choice) -> None:
        """Ask this agent and this model from now on. Raises ModelNotFound, or ModelError if nobody can tell."""
        value = wanted.value(self.kernel.settings.default_model)
        if model := self.kernel.engine.read_model(value).model:
            await self.kernel.directory.find(model)
        self.choice = wanted

    async def go_on(self, session_id: str) -> list[dict[str, str]]:
        """Go on with a stored conversation; returns its messages. Raises SessionNotFound."""
        found = await self.conversations.read(session_id)
        messages: list[dict[str, str]] = found["messages"]
        self.session_id = session_id
        self.run_id = next((one["run_id"] for one in reversed(messages) if one.get("run_id")), "")
        return messages

    async def take(self, doing: Awaitable[bool]) -> bool:
        """See a question or a command through until it is done or stopped; an error is told, and False."""
        self._work = asyncio.ensure_future(doing)
        try:
            return await self._work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self.screen.tell("Stopped.", "dim")
        except AgenticError as error:
            self.screen.error(error.message)
        finally:
            self._work = self._live = None
        return False

    def stop(self) -> bool:
        """Stop what is being done: an answer is recorded as incomplete. False if there is nothing to stop."""
        if self._live is not None:
            self._live.cancel()
        elif self._work is not None:
            self._work.cancel()
        return self._work is not None

    async def ask(self, text: str) -> bool:
        """Ask, and show the answer; whether there was one. Raises what :meth:`Engine.start` raises."""
        from agentic.runtime.request import RunRequest

        request = RunRequest(
            model=self.model,
            messages=(Message("user", text),),
            session_id=self.session_id,
            approvals=self.screen.is_terminal,
        )
        self._live = live = await self.kernel.engine.start(request, self.principal)
        answered = await self.answers(live)
        # Else the question was not kept, and the conversation cannot go on from it.
        if live.opening is not None and live.opening.is_stored:
            self.session_id, self.run_id = live.session_id, live.id
        return answered

    async def questions(self, *, conversations: int = 20, most: int = 200) -> list[str]:
        """What the principal has asked in the newest conversations, the latest last."""
        heads = await self.conversations.page(after=None, limit=conversations)
        found = await asyncio.gather(*(self._messages(head["session_id"]) for head in heads))
        asked = sorted(
            (one["timestamp"], _text(one)) for messages in found for one in messages if one["role"] == "user"
        )
        return [text for _, text in asked if text][-most:]

    async def _messages(self, session_id: str) -> list[dict[str, str]]:
        try:
            messages: list[dict[str, str]] = (await self.conversations.read(session_id))["messages"]
        except NotFound:
            # Deleted since it was listed.
            return []
        return messages


def _text(message: dict[str, str]) -> str:
    """A stored message's text; its content may have parts."""
    return message_from_json(message).text

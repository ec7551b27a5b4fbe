"""The handles that a run gives to its agent. The agent acts; the kernel observes, counts, limits and records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from agentic.events import Citation
from agentic.messages import Json, Message, ToolCall, Usage
from agentic.ports.model import Model, ToolSpec
from agentic.ports.space import Principal, Space
from agentic.ports.tool import ToolResult

if TYPE_CHECKING:
    from agentic.ports.agent import Task


class Tools(Protocol):
    """The tools of this run: the server's and the client's, fixed when the run began."""

    specs: Sequence[ToolSpec]

    async def call(self, calls: Sequence[ToolCall]) -> Sequence[ToolResult]:
        """Run the calls, in parallel where their tools allow it; results come in the order of the calls.

        After a restart, what the run's log knows of a call answers it: its result, or that it may have happened where
        it was cut off and its tool is not idempotent. A failing, unknown or denied tool gives a result with ``error``
        set, for the model to read. Where a person is asked, this waits for the answer. Calls of the client's tools end
        the run, after the server's have been run: this method does not return then.
        """
        ...


class Budget(Protocol):
    """What the run may still spend."""

    usage: Usage
    tool_calls: int
    model_calls: int


class Run(Protocol):
    """One answer in the making. Everything the agent does goes through here, and ends with the run.

    ``restored`` is the run's last checkpoint where it goes on after a restart, else None. An agent that gets one first
    answers the calls that were open in it, with their ids, and then asks its model.
    """

    id: str
    task: Task
    messages: Sequence[Message]
    principal: Principal
    options: Mapping[str, Any]
    budget: Budget
    model: Model
    tools: Tools
    space: Space
    restored: Json | None

    def say(self, text: str) -> None:
        """Add to the answer."""

    def think(self, text: str) -> None:
        """Add to the reasoning, which users see apart from the answer."""

    def cite(self, citation: Citation) -> None:
        """Name a source of the answer."""

    def notice(self, text: str) -> None:
        """Tell the user something about the answer, such as why it ends here.

        It follows the answer where that is prose, and stands apart from one that the client will parse.
        """

    def draft(self, text: str) -> None:
        """Keep an answer that is held back: it is given where a limit ends the run before anything more is said."""
        return None

    def progress(self, step: str, title: str, state: str) -> None:
        """Tell how a step of the agent's own is getting on."""

    async def checkpoint(self, data: Json) -> None:
        """Store a state from which this agent can go on in another process; it replaces the one before.

        From the first one on the run outlives its server: it is gone on with after a restart. Worth its writes where
        work is dear, such as between a model's calls and their results. Raises TypeError for what is no JSON object,
        and StorageError; the checkpoint before then stands.
        """

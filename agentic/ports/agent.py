"""Port: an agent, that is, a strategy for answering. It bids for requests and acts through its run's handles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agentic.messages import Json, Message
from agentic.ports.model import ModelInfo, ToolChoice, ToolSpec
from agentic.ports.run import Run


@dataclass(frozen=True, slots=True)
class Fit:
    """How well an installed tool serves a request, from 0 to 1; ``suggested`` are arguments it read from it by rule."""

    tool: str
    score: float
    suggested: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What every agent bids on: the last user message's text, all messages before it, and what is at hand.

    ``fit`` ranks the installed tools, best first. ``tool_choice`` speaks of the client's tools. ``answer_schema`` is
    the JSON Schema that the client wants the answer to keep to: what is said through ``model.complete(say=True)`` does,
    an agent that lets the model write its answer otherwise passes it on.
    """

    text: str
    history: Sequence[Message]
    client_tools: Sequence[ToolSpec]
    tool_choice: ToolChoice
    model: ModelInfo
    fit: Sequence[Fit]
    answer_schema: Json | None = None


@dataclass(frozen=True, slots=True)
class Bid:
    """An agent's fitness for a task, from 0 to 1, and why."""

    fitness: float
    reason: str


class Agent(Protocol):
    """A strategy. ``plain``: it hands the messages to the model as they are, with no tool of the server's; such an
    agent answers where a client names a model instead of an agent. ``rank`` settles ties between bids.
    """

    name: str
    description: str
    plain: bool = False
    rank: int = 0

    def bid(self, task: Task) -> Bid:
        """Say how fit this agent is for the task. Cheap, and without I/O: it is asked on every request."""
        ...

    async def run(self, run: Run) -> None:
        """Answer through ``run``: speak with ``run.say``, think with ``run.think``, act with ``run.tools``."""
        ...

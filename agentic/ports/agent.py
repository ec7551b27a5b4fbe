"""Port: an agent, that is, a strategy for answering. It bids for requests and acts through its run's handles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
class Shape:
    """How a request is built, the same facts for every agent; counts leave out quotations, code and data.

    ``targets``: things in its longest row, 3 in "Rome, Oslo and Bern"; ``bullets``: points of a written list;
    ``joins``: words such as "and"; ``then``: signs that one step waits for another; ``apart``: signs of things side by
    side ("compare", "each"); ``points_back``: words such as "it" and "its"; ``nested``: a question within a question;
    ``addresses``: of web pages; ``refuses_tools``: it asks not to search, run or look up; ``follows_up``: it may lean
    on what was said before.

    Judged from all of them, from 0 to 1: ``tool``, how likely an installed tool helps, and ``parts``, how likely the
    work falls into parts that do not need each other's results (0: one step, or a chain of them).
    """

    words: int = 0
    sentences: int = 0
    questions: int = 0
    targets: int = 1
    bullets: int = 0
    joins: int = 0
    then: int = 0
    apart: int = 0
    points_back: int = 0
    nested: int = 0
    code: bool = False
    data: bool = False
    addresses: int = 0
    formula: bool = False
    refuses_tools: bool = False
    small_talk: bool = False
    follows_up: bool = False
    tool: float = 0.0
    parts: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What every agent bids on: the last user message's text, all messages before it, and what is at hand.

    ``fit`` ranks the installed tools, best first. ``tool_choice`` speaks of the client's tools. ``answer_schema`` is
    the JSON Schema that the client wants the answer to keep to: what is said through ``model.complete(say=True)`` does,
    an agent that lets the model write its answer otherwise passes it on. ``read`` gives the request's shape; use
    ``shape``.
    """

    text: str
    history: Sequence[Message]
    client_tools: Sequence[ToolSpec]
    tool_choice: ToolChoice
    model: ModelInfo
    fit: Sequence[Fit]
    answer_schema: Json | None = None
    read: Callable[[], Shape] = Shape

    @property
    def shape(self) -> Shape:
        """How the request is built, read when somebody first looks."""
        return self.read()


GENERAL = 0.8
"""The highest bid of an agent that is for no request in particular."""


@dataclass(frozen=True, slots=True)
class Bid:
    """An agent's fitness for a task, from 0 to 1, and why.

    Agents for any request bid ``GENERAL`` at most: what lies above is for those made for the very thing asked.
    """

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

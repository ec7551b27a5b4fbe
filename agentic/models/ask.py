"""What an agent wants of a model, before it is known how that model calls tools."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from agentic.errors import ModelError
from agentic.messages import Json, Message
from agentic.models.caller import Caller
from agentic.ports.agent import Fit
from agentic.ports.model import Sampling, ToolChoice, ToolSpec

Ranker = Callable[[str, Sequence[ToolSpec]], Awaitable[Sequence[Fit]]]
"""Ranks tools by how well their examples fit a text, best first; an empty answer means that none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question to a model with tools at hand.

    ``observed`` are the tool results since the last user message as the tools gave them; in ``messages`` those of
    untrusted tools are marked. ``schema`` holds for the answer, not for the calls. ``choice`` is auto, required, or the
    one tool to be called. ``sampling`` is the client's; ``deciding`` is the same without what would cut a tool call
    short.
    """

    caller: Caller
    messages: Sequence[Message]
    observed: Sequence[Message]
    tools: Sequence[ToolSpec]
    schema: Json | None
    choice: ToolChoice
    parallel: bool
    sampling: Sampling
    deciding: Sampling
    rank: Ranker

    def none_called(self) -> ModelError:
        """The error where the client demands a call and the model makes none."""
        return ModelError("The model called no tool, though the request demands that it does.")

    def limited(self, calls: Sequence[Json]) -> Sequence[Json]:
        """The calls that may be made at once."""
        return calls if self.parallel else calls[:1]

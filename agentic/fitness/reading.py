"""What is known of one request before the auction: its shape and its tools' fits, judged when first looked at."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from agentic.fitness.fitness import Fitness, Judged
from agentic.fitness.judges import chances, judges, likely, pieces_of
from agentic.fitness.shape import read_shape
from agentic.messages import Message
from agentic.models.fit import LONGEST
from agentic.ports.agent import Fit, Shape

UNSURE_OF_TOOL = 0.35
"""How near to 0 or 1 the chance that a tool helps must be for the cheap judge to be believed.

This and the two below were chosen by cross-validation within the dev half of the labelled requests.
"""
UNSURE_OF_PARTS = 0.3
CLOSE = 0.8
"""Raw fits of the two best tools that lie nearer than this are too close for the cheap judge to tell."""


class Reading:
    """A request as the judges see it: cheaply, and with vectors where :meth:`settle` found that not to be enough."""

    def __init__(self, fitness: Fitness, text: str, history: Sequence[Message]) -> None:
        self._fitness = fitness
        self._text = text[:LONGEST]
        self._whole = text
        self._history = history
        self.is_settled = False
        """Whether the dearer judge has spoken."""

    @cached_property
    def fits(self) -> list[Fit]:
        """Every tool, best first."""
        return self._quick.fits()

    @cached_property
    def shape(self) -> Shape:
        """The request's facts and what they are judged to mean."""
        return self._weighed(self._quick, None)

    async def settle(self) -> None:
        """Ask the dearer judge where the cheap one is not sure. The first request waits until the judges are there."""
        if not self._fitness.is_ready:
            await asyncio.to_thread(self._fitness.prepare)
        if self._quick.raw and self._is_unsure():
            found = await self._fitness.judge_near(self._text, self._quick)
            if found is not None:
                judged, vector = found
                self.fits, self.shape, self.is_settled = judged.fits(), self._weighed(judged, vector), True

    @cached_property
    def _facts(self) -> Shape:
        return read_shape(self._text, self._history)

    @cached_property
    def _pieces(self) -> set[str]:
        spoken = any(message.role == "user" for message in self._history)
        return pieces_of(self._text, self._facts, spoken=spoken)

    @cached_property
    def _quick(self) -> Judged:
        before = ""
        if self._facts.follows_up:
            before = next(message.text for message in reversed(self._history) if message.role == "user")
        return self._fitness.judge(self._whole, before)

    def _weighed(self, judged: Judged, vector: Any) -> Shape:
        raw = list(judged.raw.values())
        talk, chain, parts = chances(self._pieces, raw, vector)
        best = likely(max(raw, default=-math.inf))
        tool = (1 - talk) * min(1.0, best / judges().faint)
        return replace(self._facts, tool=tool, parts=parts / (chain + parts or 1.0))

    def _is_unsure(self) -> bool:
        shape = self.shape
        if UNSURE_OF_TOOL < shape.tool < 1 - UNSURE_OF_TOOL:
            return True
        if shape.tool <= UNSURE_OF_TOOL:
            return False
        if UNSURE_OF_PARTS < shape.parts < 1 - UNSURE_OF_PARTS:
            return True
        best, *others = sorted(self._quick.raw.values(), reverse=True)
        return not self._quick.suggested and bool(others) and best - others[0] < CLOSE

"""One provider's list of models: asked for when it is old, checked, and kept for a while, as a failure is for less."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from typing import get_args

from agentic.errors import AgenticError, ModelError, ModelTimeout
from agentic.ports.model import ModelInfo, ModelProvider, ToolMode

logger = logging.getLogger(__name__)

FRESH_S = 10.0
FAILED_S = 1.0
PATIENCE_S = 10.0


class Roster:
    """One provider's models, asked for again when the list is older than FRESH_S, or a failure older than FAILED_S.

    Whoever comes while the provider is being asked shares the outcome: a server that is silent until a time limit
    would else let each wait for all those before.
    """

    def __init__(self, provider: ModelProvider) -> None:
        self.provider = provider
        self.reached = False
        self._infos: Sequence[ModelInfo] = ()
        self._asked_at = -math.inf
        self._failure: AgenticError | None = None
        self._failed_at = -math.inf
        self._asking: asyncio.Task[None] | None = None

    async def infos(self, *, newer_than_s: float = FRESH_S) -> Sequence[ModelInfo]:
        """The provider's models; raises ModelError if they cannot be had."""
        wanted = time.monotonic() - newer_than_s
        while self._asked_at < wanted:
            if self._asking is None:
                self._raise_what_just_failed()
                self._asking = asyncio.create_task(self._refresh())
                self._asking.add_done_callback(self._asked)
            await asyncio.shield(self._asking)
        return self._infos

    def expire(self) -> None:
        """Take the list for old."""
        self._asked_at = -math.inf

    async def health(self) -> str | None:
        """None if the provider can answer, else what is wrong with it."""
        timer = asyncio.timeout(PATIENCE_S)
        try:
            async with timer:
                cause = await self.provider.health()
        except (Exception, SystemExit) as error:
            if timer.expired():
                return f"the health check took longer than {PATIENCE_S:g} s"
            logger.exception("[Models] Health check failed: %s", self.provider.name)
            return f"the health check failed: {type(error).__name__}"
        if cause is None:
            # It is back: a failure of a moment ago says nothing any more.
            self._failure = None
        return cause

    def remedy(self, model_id: str) -> str:
        """What a user does to get the model from this provider; empty if it cannot tell."""
        try:
            return self.provider.remedy(model_id)
        except (Exception, SystemExit):
            logger.exception("[Models] Provider failed: %s", self.provider.name)
            return ""

    async def aclose(self) -> None:
        """Ask no further, and close the provider."""
        if self._asking is not None:
            self._asking.cancel()
        try:
            await self.provider.aclose()
        except (Exception, SystemExit):
            logger.exception("[Models] Provider did not close: %s", self.provider.name)

    def _raise_what_just_failed(self) -> None:
        if self._failure is not None and time.monotonic() - self._failed_at < FAILED_S:
            raise self._failure.with_traceback(None)

    async def _refresh(self) -> None:
        asked_at = time.monotonic()
        try:
            self._infos = await self._ask()
        except AgenticError as failure:
            self._failure, self._failed_at = failure, time.monotonic()
            raise
        self._failure = None
        self._asked_at = asked_at
        self.reached = True

    def _asked(self, asking: asyncio.Task[None]) -> None:
        self._asking = None
        if not asking.cancelled():
            # Taken here, since all who asked may have gone away.
            asking.exception()

    async def _ask(self) -> Sequence[ModelInfo]:
        name = self.provider.name
        timer = asyncio.timeout(PATIENCE_S)
        try:
            async with timer:
                infos = list(await self.provider.models())
        except AgenticError:
            raise
        except (Exception, SystemExit) as error:
            if timer.expired():
                raise ModelTimeout(
                    f"model provider {name} took longer than {PATIENCE_S:g} s to list its models"
                ) from error
            logger.exception("[Models] Provider failed: %s", name)
            raise ModelError(f"model provider {name} failed: {type(error).__name__}") from error
        for info in infos:
            if not _is_sound(info):
                logger.error("[Models] Provider listed what is no sound ModelInfo: %s", name)
                raise ModelError(f"model provider {name} listed a model in a form that cannot be read")
        return infos


def _is_sound(info: object) -> bool:
    """Whether a provider's item can be listed, found and called: types are not checked where plugins are written."""
    return (
        isinstance(info, ModelInfo)
        and isinstance(info.id, str)
        and info.tool_mode in get_args(ToolMode)
        and isinstance(info.aliases, tuple)
    )

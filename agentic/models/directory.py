"""Which models there are, who runs them, and which one stands under the agents."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentic.errors import AgenticError, ModelError, ModelNotFound, ModelUnavailable
from agentic.ports.model import ModelInfo, ModelProvider

logger = logging.getLogger(__name__)

FRESH_S = 10.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model together with the provider that runs it, under the id by which clients call it."""

    id: str
    provider: ModelProvider
    info: ModelInfo


class _Shelf:
    """One provider's models, asked for again when the list is older than FRESH_S. Failures are not kept.

    Whoever comes while the provider is being asked shares the outcome: a server that is silent until a time limit
    would else let each wait for all those before.
    """

    def __init__(self, provider: ModelProvider) -> None:
        self.provider = provider
        self.reached = False
        self._infos: Sequence[ModelInfo] = ()
        self._asked_at = -math.inf
        self._asking: asyncio.Task[None] | None = None

    async def infos(self, *, newer_than_s: float = FRESH_S) -> Sequence[ModelInfo]:
        """The provider's models; raises ModelError if they cannot be had."""
        wanted = time.monotonic() - newer_than_s
        while self._asked_at < wanted:
            if self._asking is None:
                self._asking = asyncio.create_task(self._refresh())
                self._asking.add_done_callback(self._asked)
            await asyncio.shield(self._asking)
        return self._infos

    def stop(self) -> None:
        """Ask no further."""
        if self._asking is not None:
            self._asking.cancel()

    async def _refresh(self) -> None:
        asked_at = time.monotonic()
        self._infos = await self._ask()
        self._asked_at = asked_at
        self.reached = True

    def _asked(self, asking: asyncio.Task[None]) -> None:
        self._asking = None
        if not asking.cancelled():
            # Taken here, since all who asked may have gone away.
            asking.exception()

    async def _ask(self) -> Sequence[ModelInfo]:
        try:
            return await self.provider.models()
        except AgenticError:
            raise
        except Exception as error:
            logger.exception("[Models] Provider failed: %s", self.provider.name)
            raise ModelError(f"model provider {self.provider.name} failed: {type(error).__name__}") from error


class Directory:
    """Finds models by id over all providers. A fallback provider is in it only while nothing else is to be had."""

    def __init__(self, providers: Mapping[str, ModelProvider]) -> None:
        self._shelves = [_Shelf(provider) for provider in providers.values()]

    async def listing(self) -> list[Chosen]:
        """Every chat model that can be reached now; an id that two providers have also as ``provider/id``."""
        shelves = await self._active()
        found: list[Chosen] = []
        for shelf in shelves:
            try:
                infos = await shelf.infos(newer_than_s=0)
            except AgenticError as error:
                logger.info("[Models] Not listed: %s: %s", shelf.provider.name, error)
                continue
            found += [Chosen(info.id, shelf.provider, info) for info in infos if info.chat]
        counts: dict[str, int] = {}
        for chosen in found:
            counts[chosen.id] = counts.get(chosen.id, 0) + 1
        listed: dict[str, Chosen] = {}
        for chosen in found:
            listed.setdefault(chosen.id, chosen)
            if counts[chosen.id] > 1:
                qualified = f"{chosen.provider.name}/{chosen.id}"
                listed[qualified] = Chosen(qualified, chosen.provider, chosen.info)
        return list(listed.values())

    async def find(self, model_id: str) -> Chosen:
        """The model of this id, or of ``provider/id``. Raises ModelNotFound, or ModelError if nobody can tell."""
        for newer_than_s in (FRESH_S, 0.0):
            failure: AgenticError | None = None
            for shelf in await self._active():
                try:
                    infos = await shelf.infos(newer_than_s=newer_than_s)
                except AgenticError as error:
                    failure = error
                    continue
                for info in infos:
                    if info.chat and model_id.removeprefix(f"{shelf.provider.name}/") in (info.id, *info.aliases):
                        return Chosen(model_id, shelf.provider, info)
        if failure is not None:
            raise failure
        remedies = [shelf.provider.remedy(model_id) for shelf in await self._active()]
        raise ModelNotFound(
            " ".join([f"The model '{model_id}' does not exist.", *filter(None, remedies)]), param="model"
        )

    async def default(self) -> Chosen:
        """The model under the agents: the default of the highest-ranked provider that can be reached.

        Raises ModelUnavailable where none can be reached, ModelNotFound where one can but has no chat model.
        """
        failure: AgenticError | None = None
        for shelf in await self._active():
            try:
                infos = await shelf.infos()
            except AgenticError as error:
                failure = failure or error
                continue
            for info in infos:
                if info.default and info.chat:
                    return Chosen(info.id, shelf.provider, info)
            remedy = shelf.provider.remedy("")
            failure = failure or ModelNotFound(
                f"{shelf.provider.name} has no model to answer with. {remedy}".strip(), param="model"
            )
        raise failure or ModelUnavailable("No model provider is installed. Run: agentic plugins list")

    async def states(self) -> dict[str, str | None]:
        """For each provider in use None, or what is wrong with it."""
        shelves = await self._active()
        causes = await asyncio.gather(*(self._health(shelf.provider) for shelf in shelves))
        return {shelf.provider.name: cause for shelf, cause in zip(shelves, causes, strict=True)}

    async def notices(self) -> list[str]:
        """What users should know of the model that answers now, such as that it is a stand-in."""
        try:
            chosen = await self.default()
        except AgenticError as error:
            logger.debug("[Models] No default: %s", error)
            return []
        return [chosen.info.notice] if chosen.info.notice else []

    async def probe(self) -> None:
        """Ask every provider once and log what came of it."""
        for name, cause in (await self.states()).items():
            if cause is None:
                logger.info("[Models] Reached: %s", name)
            else:
                logger.warning("[Models] Not reached: %s: %s", name, cause)

    async def aclose(self) -> None:
        """Close every provider."""
        for shelf in self._shelves:
            shelf.stop()
            try:
                await shelf.provider.aclose()
            except Exception:
                logger.exception("[Models] Provider did not close: %s", shelf.provider.name)

    async def _active(self) -> list[_Shelf]:
        """The providers that may answer now: the fallbacks only while no other was configured or ever reached."""
        servers = [shelf for shelf in self._shelves if not shelf.provider.fallback]
        if any(shelf.provider.configured or shelf.reached for shelf in servers):
            return servers
        for shelf in servers:
            try:
                await shelf.infos()
            except AgenticError as error:
                logger.debug("[Models] Not reached: %s: %s", shelf.provider.name, error)
            else:
                return servers
        fallbacks = [shelf for shelf in self._shelves if shelf.provider.fallback]
        return fallbacks or servers

    async def _health(self, provider: ModelProvider) -> str | None:
        try:
            return await provider.health()
        except Exception as error:
            logger.exception("[Models] Health check failed: %s", provider.name)
            return f"the health check failed: {type(error).__name__}"

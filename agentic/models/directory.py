"""Which models there are, who runs them, and which one stands under the agents."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentic.errors import AgenticError, ModelNotFound, ModelUnavailable
from agentic.models.roster import FRESH_S, Roster
from agentic.ports.model import ModelInfo, ModelProvider

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model together with the provider that runs it, under the id by which clients call it."""

    id: str
    provider: ModelProvider
    info: ModelInfo


class Directory:
    """Finds models by id over all providers. A fallback provider is in it only while nothing else is to be had.

    ``withheld`` says what is wrong with a provider that was configured and cannot be used: no fallback replaces it.
    """

    def __init__(self, providers: Mapping[str, ModelProvider], *, withheld: str = "") -> None:
        self._withheld = withheld
        self._rosters = [Roster(provider) for provider in providers.values()]

    async def listing(self) -> list[Chosen]:
        """Every chat model that can be reached now; an id that two providers have also as ``provider/id``."""
        rosters = await self._active()
        lists = await asyncio.gather(*map(_reachable, rosters))
        found = [
            Chosen(info.id, roster.provider, info)
            for roster, infos in zip(rosters, lists, strict=True)
            for info in infos
            if info.chat
        ]
        counts = Counter(chosen.id for chosen in found)
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
            for roster in await self._active():
                try:
                    infos = await roster.infos(newer_than_s=newer_than_s)
                except AgenticError as error:
                    failure = error
                    continue
                for info in infos:
                    if info.chat and model_id.removeprefix(f"{roster.provider.name}/") in (info.id, *info.aliases):
                        return Chosen(model_id, roster.provider, info)
        if self._withheld:
            raise ModelUnavailable(self._withheld)
        if failure is not None:
            raise failure
        remedies = [roster.remedy(model_id) for roster in await self._active()]
        raise ModelNotFound(
            " ".join([f"The model '{model_id}' does not exist.", *filter(None, remedies)]), param="model"
        )

    async def default(self) -> Chosen:
        """The model under the agents: the default of the highest-ranked provider that can be reached.

        Raises ModelUnavailable where none can be reached, ModelNotFound where one can but has no chat model.
        """
        failure: AgenticError | None = None
        for roster in await self._active():
            try:
                infos = await roster.infos()
            except AgenticError as error:
                failure = failure or error
                continue
            for info in infos:
                if info.default and info.chat:
                    return Chosen(info.id, roster.provider, info)
            remedy = roster.remedy("")
            failure = failure or ModelNotFound(
                f"{roster.provider.name} has no model to answer with. {remedy}".strip(), param="model"
            )
        if self._withheld:
            raise ModelUnavailable(self._withheld)
        raise failure or ModelUnavailable("No model provider is installed. Run: agentic plugins list")

    def doubt(self, chosen: Chosen) -> None:
        """Ask this model's provider anew before its next use."""
        for roster in self._rosters:
            if roster.provider is chosen.provider:
                roster.expire()

    async def states(self) -> dict[str, str | None]:
        """For each provider in use None, or what is wrong with it.

        One that nobody configured and that never answered is in use only where there is no other.
        """
        rosters = await self._active()
        causes = await asyncio.gather(*(roster.health() for roster in rosters))
        found = dict(zip(rosters, causes, strict=True))
        in_use = [one for one, cause in found.items() if cause is None or one.provider.configured or one.reached]
        return {roster.provider.name: found[roster] for roster in in_use or rosters}

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
        for roster in self._rosters:
            await roster.aclose()

    async def _active(self) -> list[Roster]:
        """The providers that may answer now: the fallbacks only while no other was configured or ever reached."""
        servers = [roster for roster in self._rosters if not roster.provider.fallback]
        in_use = self._withheld or any(roster.provider.configured or roster.reached for roster in servers)
        if in_use or await _any_reached(servers):
            return servers
        fallbacks = [roster for roster in self._rosters if roster.provider.fallback]
        return fallbacks or servers


async def _reachable(roster: Roster) -> Sequence[ModelInfo]:
    """The models of a provider now; none where it cannot be reached."""
    try:
        return await roster.infos(newer_than_s=0)
    except AgenticError as error:
        logger.info("[Models] Not listed: %s: %s", roster.provider.name, error)
        return ()


async def _any_reached(rosters: Sequence[Roster]) -> bool:
    """Whether one of the providers answers; the first answer ends the waiting for the others."""
    asked = [asyncio.create_task(roster.infos()) for roster in rosters]
    try:
        for answer in asyncio.as_completed(asked):
            try:
                await answer
            except AgenticError as error:
                logger.debug("[Models] Not reached: %s", error)
            else:
                return True
    finally:
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    return False

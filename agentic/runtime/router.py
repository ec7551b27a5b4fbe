"""The router: every agent bids on the task, the fittest gets it, and the decision keeps every bid.

An installed router may choose instead; where it gives no sound decision the auction stands, and the decision says why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from agentic.errors import AgenticError, ModelNotFound
from agentic.events import AUCTION, REQUEST, Decided
from agentic.messages import Json
from agentic.ports.agent import Agent, Bid, Fit, Task
from agentic.ports.model import Model
from agentic.ports.router import Candidate, Contest, Decision
from agentic.ports.router import Router as Chooser
from agentic.runtime.tool_call import is_cancelled

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """What a ``model`` value asks for: an agent by name or any (""), over a model by id or the default one ("").

    ``plain``: the agent that hands messages on as they are, since only a model was named. ``reason``: why this agent,
    where no client has asked for it.
    """

    agent: str = ""
    model: str = ""
    plain: bool = False
    reason: str = ""

    @property
    def bidding(self) -> bool:
        """Whether the agents bid: the client has settled neither the agent nor that only a model answers."""
        return not self.agent and not self.plain


class Router:
    """Chooses among the installed agents: by auction, or by ``chooser``, which has ``timeout_s`` seconds for it."""

    def __init__(self, agents: Mapping[str, Agent], chooser: Chooser | None = None, *, timeout_s: float = 8.0) -> None:
        self._agents = agents
        self._chooser = chooser
        self._timeout_s = timeout_s

    def read(self, model: str) -> Route:
        """Read a ``model`` value: ``agentic``, ``agentic/<agent>``, ``agentic/<agent>@<id>``, or a provider's id.

        Raises ModelNotFound for an agent that is not installed.
        """
        family, _, rest = model.partition("/")
        if family != "agentic":
            return Route(model=model, plain=True)
        name, _, model_id = rest.partition("@")
        if name and name not in self._agents:
            raise ModelNotFound(
                f"The model '{model}' does not exist: no agent '{name}' is installed. "
                f"Installed: {', '.join(self._agents) or 'none'}.",
                param="model",
            )
        return Route(agent=name, model=model_id)

    async def choose(self, route: Route, task: Task, model: Callable[[], Model]) -> tuple[Agent, Decided]:
        """The agent for a task, by the installed router where there is one. ``model`` makes what that may ask.

        Raises ModelNotFound if no agent is installed that could take it.
        """
        agent, decided = self.decide(route, task)
        if self._chooser is None or decided.router != AUCTION:
            return agent, decided
        candidates = tuple(
            Candidate(bid["agent"], self._agents[bid["agent"]].description, Bid(bid["fitness"], bid["reason"]))
            for bid in decided.bids
        )
        try:
            found = await self._consult(self._chooser, Contest(task=task, candidates=candidates, model=model()))
        except _PassedOver as why:
            return agent, replace(decided, reason=f"the router {self._chooser.name} {why}: {decided.reason}")
        chosen = replace(decided, agent=found.agent, reason=str(found.reason), router=self._chooser.name)
        return self._agents[found.agent], chosen

    def decide(self, route: Route, task: Task) -> tuple[Agent, Decided]:
        """The agent for a task, by auction where the client has named none.

        Raises ModelNotFound if no agent is installed that could take it.
        """
        if route.agent:
            return self._asked_for(route.agent), Decided(
                route.agent, route.reason or f"the client asked for {route.agent}"
            )
        if route.plain:
            for name, agent in self._agents.items():
                if agent.plain:
                    return agent, Decided(name, "the client asked for a model, not for an agent")
            raise ModelNotFound("No installed agent answers for a bare model. Run: agentic plugins list", param="model")
        return self._auction(task)

    def _asked_for(self, name: str) -> Agent:
        """An agent by name; one that was there when its run began may be gone when the run goes on."""
        if name not in self._agents:
            raise ModelNotFound(f"The run cannot go on: its agent '{name}' is not installed any more.", param="model")
        return self._agents[name]

    def _auction(self, task: Task) -> tuple[Agent, Decided]:
        bids = {name: _bid(name, agent, task) for name, agent in self._agents.items()}
        if not bids:
            raise ModelNotFound("No agent is installed. Run: agentic plugins list", param="model")
        order = sorted(bids, key=lambda name: (-bids[name].fitness, -self._agents[name].rank, name))
        winner = order[0]
        kept = tuple(
            {"agent": name, "fitness": round(bids[name].fitness, 3), "reason": bids[name].reason} for name in order
        )
        return self._agents[winner], Decided(winner, bids[winner].reason, kept, AUCTION)

    async def _consult(self, chooser: Chooser, contest: Contest) -> Decision:
        """The installed router's decision. Raises _PassedOver where it gives none that could be followed."""
        timer = asyncio.timeout(self._timeout_s)
        try:
            async with timer:
                found = await chooser.decide(contest)
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            if isinstance(error, TimeoutError) and timer.expired():
                logger.warning("[Router] Took longer than %g s: %s", self._timeout_s, chooser.name)
                raise _PassedOver(f"took longer than {self._timeout_s:g} s, so the auction decided") from None
            if isinstance(error, AgenticError):
                logger.warning("[Router] Failed: %s: %s", chooser.name, type(error).__name__)
            else:
                logger.exception("[Router] Failed: %s", chooser.name)
            raise _PassedOver(f"failed ({type(error).__name__}), so the auction decided") from None
        if found is None:
            raise _PassedOver("left it to the auction")
        if not isinstance(found, Decision) or not isinstance(found.agent, str):
            logger.error("[Router] Gave no decision, but a %s: %s", type(found).__name__, chooser.name)
            raise _PassedOver("gave no decision, so the auction decided")
        if found.agent not in self._agents:
            # The name may be a model's own words.
            logger.warning("[Router] Chose an agent that is not installed: %s", chooser.name)
            raise _PassedOver(f"chose '{found.agent[:64]}', which is not installed, so the auction decided")
        return found


class _PassedOver(Exception):
    """The installed router gave no decision that could be followed; the message goes into the decision's reason."""


def explained(decided: Decided, task: Task, model: str) -> Json:
    """A decision in words for the client: ``{agent, reason, bids, tools: [{tool, score, suggested?}], model, router}``.

    ``tools`` are those that the agents have weighed, best first: none where the request named an agent or a model.
    """
    weighed = () if decided.router == REQUEST else task.fit
    return {
        "agent": decided.agent,
        "reason": decided.reason,
        "bids": list(decided.bids),
        "tools": [_tool(fit) for fit in weighed],
        "model": model,
        "router": decided.router,
    }


def _tool(fit: Fit) -> Json:
    told: Json = {"tool": fit.tool, "score": round(fit.score, 3)}
    return told if fit.suggested is None else {**told, "suggested": fit.suggested}


def _bid(name: str, agent: Agent, task: Task) -> Bid:
    """The agent's bid; one that raises, or is no number from 0 to 1, counts 0."""
    try:
        bid = agent.bid(task)
        # A plugin's number may be one of numpy's, which cannot be stored.
        bid = Bid(float(bid.fitness), str(bid.reason))
    except (Exception, SystemExit):
        logger.exception("[Router] Bid failed: %s", name)
        return Bid(0, "its bid failed")
    if 0 <= bid.fitness <= 1:
        return bid
    logger.warning("[Router] Bid outside 0 to 1 counts 0: %s", name)
    return Bid(0, f"its bid {bid.fitness!r} lies outside 0 to 1")

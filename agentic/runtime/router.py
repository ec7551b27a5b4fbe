"""The router: every agent bids on the task, the fittest gets it, and the decision keeps every bid."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from agentic.errors import ModelNotFound
from agentic.events import Decided
from agentic.ports.agent import Agent, Bid, Task

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


class Router:
    """Chooses among the installed agents."""

    def __init__(self, agents: Mapping[str, Agent]) -> None:
        self._agents = agents

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

    def decide(self, route: Route, task: Task) -> tuple[Agent, Decided]:
        """The agent for a task. Raises ModelNotFound if no agent is installed that could take it."""
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
        return self._agents[winner], Decided(winner, bids[winner].reason, kept)


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

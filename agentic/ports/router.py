"""Port: a router, which chooses the agent of a request instead of the auction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agentic.ports.agent import Bid, Task
from agentic.ports.model import Model


@dataclass(frozen=True, slots=True)
class Candidate:
    """An installed agent and what it bids on the task."""

    agent: str
    description: str
    bid: Bid


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What a router decides on: the task, and every installed agent with its bid, the auction's winner first.

    ``model`` is the one under the agents. Asking it counts in the run's budget and stands in its log; what it says or
    thinks goes to nobody but the router.
    """

    task: Task
    candidates: Sequence[Candidate]
    model: Model


@dataclass(frozen=True, slots=True)
class Decision:
    """The agent that a router chose, and why."""

    agent: str
    reason: str


class Router(Protocol):
    """Chooses the agent where the client has named none; ROUTER installs one by its name."""

    name: str
    rank: int = 0

    async def decide(self, contest: Contest) -> Decision | None:
        """The agent for the task; None leaves it to the auction.

        One that raises, takes longer than ROUTER_TIMEOUT, or names an agent that is not installed is passed over: then
        the auction decides, and the decision's reason says so. Cancelled with its run.
        """
        ...

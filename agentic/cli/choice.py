"""Which agent and which model shall answer, as a person names them, and the ``model`` value that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from agentic.errors import BadRequest

Agent = Annotated[str | None, typer.Option(help="The agent that shall answer.")]
Model = Annotated[str | None, typer.Option(help="The model to use; DEFAULT_MODEL otherwise.")]
OURS = "agentic"
"""The model id under which the agents bid, and the first part of every id that names an agent."""
AUTO = "auto"
"""What people write in a conversation for "the agents bid", and for "the default model"."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An agent by name ("": the agents bid; None: none was named), and a model by id (None: the default one).

    ``model`` may be any value that a request may name, an agent's included. Raises BadRequest where both name an agent.
    """

    agent: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        if self.agent is not None and self.names_agent:
            raise BadRequest("--agent and --model each name an agent; leave one out.")

    @property
    def names_agent(self) -> bool:
        """Whether the model's id is one of agents."""
        return self.model is not None and self.model.split("/", 1)[0] == OURS

    def value(self, default: str) -> str:
        """The ``model`` value of a request; ``default`` where nothing was chosen."""
        if self.agent is None:
            return self.model or default
        path = f"{OURS}/{self.agent}".rstrip("/")
        return f"{OURS}/{self.agent}@{self.model}" if self.model else path

    def with_agent(self, agent: str) -> Choice:
        """This agent over the model chosen so far."""
        return Choice(agent, ((self.model or "").partition("@")[2] or None) if self.names_agent else self.model)

    def with_model(self, model: str | None) -> Choice:
        """This model under the agent chosen so far, unless the model's id names an agent itself."""
        wanted = Choice(None, model)
        return wanted if wanted.names_agent or self.agent is None else Choice(self.agent, model)

"""What is there: the plugins with their states, and the capabilities that active ones offer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from pydantic import BaseModel

from agentic.errors import ConfigurationError
from agentic.ports.agent import Agent
from agentic.ports.embedder import EmbedderProvider
from agentic.ports.login import LoginProvider
from agentic.ports.model import ModelProvider
from agentic.ports.tool import Tool

Kind = Literal[
    "tool",
    "agent",
    "model_provider",
    "embedder",
    "storage_backend",
    "blob_store",
    "router",
    "document_reader",
    "indexer",
    "vector_store",
    "text_index",
    "login",
]
State = Literal["active", "quarantined", "disabled", "not_configured"]


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing that a plugin contributes. ``fix`` is set, and ``object`` None, where a setting is missing for it."""

    kind: Kind
    name: str
    plugin: str
    object: Any
    rank: int = 0
    fix: str = ""

    @property
    def offered(self) -> bool:
        """Whether it can be used as things are."""
        return not self.fix


@dataclass(slots=True)
class Plugin:
    """An installed plugin. ``cause`` and ``fix`` say why it is not active, and what to do.

    ``hooks`` are the names of those it implements. ``settings`` are its settings as bound, None where it has none or
    they are wrong; ``settings_type`` is their class.
    """

    name: str
    distribution: str = ""
    version: str = ""
    state: State = "active"
    cause: str = ""
    fix: str = ""
    capabilities: list[Capability] = field(default_factory=list)
    settings_type: type[BaseModel] | None = None
    settings: BaseModel | None = None
    hooks: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """``weather (agentic-plugin-weather 1.2)``."""
        return f"{self.name} ({self.distribution} {self.version})"

    def __str__(self) -> str:
        """``plugin weather (agentic-plugin-weather 1.2): no module named 'foo'. Run: pip install foo``."""
        return f"plugin {self.title}: " + (f"{self.cause}. {self.fix}" if self.cause else self.state)


class Catalog:
    """All installed plugins, in name order, and what the active ones offer."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins: Sequence[Plugin] = tuple(plugins)
        offered = [capability for capability in self._capabilities() if capability.offered]
        self._offered = sorted(offered, key=lambda capability: (-capability.rank, capability.name))

    def all(self, kind: Kind) -> list[Capability]:
        """The capabilities of one kind that can be used: highest rank first, then by name."""
        return [capability for capability in self._offered if capability.kind == kind]

    def tools(self) -> dict[str, Tool]:
        """Tools by name, highest rank first."""
        return self._objects("tool")

    def agents(self) -> dict[str, Agent]:
        """Agents by name, highest rank first."""
        return self._objects("agent")

    def model_providers(self) -> dict[str, ModelProvider]:
        """Providers of models by name, highest rank first."""
        return self._objects("model_provider")

    def embedders(self) -> dict[str, EmbedderProvider]:
        """Providers of embedders by name, highest rank first."""
        return self._objects("embedder")

    def logins(self) -> dict[str, LoginProvider]:
        """Places to sign in by name, highest rank first."""
        return self._objects("login")

    def choose(self, kind: Kind, wanted: str | None, setting: str) -> Any:
        """The object of the capability that ``wanted`` names, or of the highest-ranked one where it names none.

        Raises ConfigurationError that names ``setting``, the fault, an example, and what is installed.
        """
        offered = self.all(kind)
        chosen = [one for one in offered if not wanted or one.name == wanted.strip().lower()]
        if chosen:
            return chosen[0].object
        raise ConfigurationError(" ".join(self._refusal(kind, wanted, setting)), param=setting)

    def _refusal(self, kind: Kind, wanted: str | None, setting: str) -> Iterator[str]:
        names = [capability.name for capability in self.all(kind)]
        what = _words(kind)
        if wanted and names:
            yield f"{setting}={wanted}: there is no {what} of this name. Installed: {', '.join(names)}."
            yield f"Example: {setting}={names[0]}"
        elif wanted:
            yield f"{setting}={wanted}: no {what} can be used."
        else:
            yield f"{setting}: no {what} can be used. Install a plugin that brings one."
        unready = [one for one in self._capabilities() if one.kind == kind and not one.offered]
        for capability in unready:
            if not wanted or capability.name == wanted:
                yield f"{capability.name} is not configured: {capability.fix}"
        for plugin in self.plugins:
            relevant = wanted in plugin.name if wanted else not names
            if relevant and plugin.state in {"quarantined", "disabled"}:
                yield f"Left out: {plugin}."

    def _capabilities(self) -> Iterator[Capability]:
        for plugin in self.plugins:
            if plugin.state in {"active", "not_configured"}:
                yield from plugin.capabilities

    def _objects(self, kind: Kind) -> dict[str, Any]:
        return cast("dict[str, Any]", {capability.name: capability.object for capability in self.all(kind)})


def canonical(distribution: str) -> str:
    """A distribution's name in the form in which two are the same (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _words(kind: Kind) -> str:
    return kind.replace("_", " ")

"""What the server has pulled, and what each model can do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agentic import Json, ModelError, ModelInfo, ModelNotFound, ModelTimeout, ModelUnavailable
from agentic_ollama.connection import Connection
from agentic_ollama.settings import LARGEST_DEFAULT_CONTEXT, Settings

logger = logging.getLogger(__name__)

_AT_ONCE = 8
_LISTING_S = 8.0
"""Less than the kernel waits for a list of models, so that what is told is what Ollama lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What ``/api/show`` tells of a model. ``context``: the tokens that its calls are given."""

    chat: bool
    tools: bool
    thinking: bool
    vision: bool
    embedding: bool
    context: int


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of ``/api/tags``; ``changed`` is wall time in seconds."""

    name: str
    digest: str
    changed: float


class Catalogue:
    """The models of one server. What is known of a model is kept until its digest changes."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self._digests: dict[str, str] = {}
        self._facts: dict[str, Facts] = {}
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def models(self) -> list[ModelInfo]:
        """All that can be run now; at most one of them is the default. Raises as :meth:`Connection.fetch` does."""
        listed = await self.listed()
        known = await asyncio.gather(*(self._known(entry) for entry in listed))
        infos = [_info(entry, facts) for entry, facts in zip(listed, known, strict=True) if facts is not None]
        default = self._default(infos)
        return [replace(info, default=info.id == default) for info in infos]

    async def listed(self) -> list[Listed]:
        """What is pulled, from the server."""
        answer = await self._connection.fetch("GET", "/api/tags", timeout_s=_LISTING_S)
        try:
            listed = [_listed(entry) for entry in answer.get("models") or ()]
        except (KeyError, TypeError, ValueError) as fault:
            raise ModelError(f"{self._connection.host} listed its models in a form that is not Ollama's") from fault
        self._digests = {entry.name: entry.digest for entry in listed}
        present = set(self._digests.values())
        self._facts = {digest: facts for digest, facts in self._facts.items() if digest in present}
        return listed

    async def facts(self, model: str) -> Facts:
        """What is known of one model. Raises ModelNotFound where it is not pulled."""
        name = full_name(model)
        if name not in self._digests:
            await self.listed()
        # A name that the listing writes in another way is asked about under its own.
        key = self._digests.get(name, name)
        facts = self._facts.get(key)
        return facts if facts is not None else await self._show(model, key)

    def forbid_tools(self, model: str) -> None:
        """Remember that the model refused tools, whatever it is said to be capable of."""
        key = self._digests.get(full_name(model), full_name(model))
        if key in self._facts:
            self._facts[key] = replace(self._facts[key], tools=False)

    async def _known(self, entry: Listed) -> Facts | None:
        """The facts of a listed model, or None where the server cannot tell."""
        facts = self._facts.get(entry.digest)
        if facts is not None:
            return facts
        async with self._at_once:
            try:
                return await self._show(entry.name, entry.digest)
            except (ModelUnavailable, ModelTimeout):
                raise
            except (ModelError, ModelNotFound) as fault:
                logger.warning("[Ollama] Left out: model=%s cause=%s", entry.name, fault)
                return None

    async def _show(self, model: str, key: str) -> Facts:
        answer = await self._connection.fetch("POST", "/api/show", {"model": model}, timeout_s=_LISTING_S)
        facts = self._facts[key] = _facts(answer, self._settings)
        return facts

    def _default(self, infos: Sequence[ModelInfo]) -> str | None:
        chat = [info for info in infos if info.chat]
        if self._settings.ollama_model is not None:
            wanted = full_name(self._settings.ollama_model)
            return next((info.id for info in chat if info.id == wanted), None)
        newest = max(chat, key=lambda info: (info.changed, info.id), default=None)
        return newest.id if newest else None


def full_name(model: str) -> str:
    """A model's name with its tag: ``qwen3`` is ``qwen3:latest``."""
    return model if ":" in model.rsplit("/", 1)[-1] else f"{model}:latest"


def _listed(entry: Json) -> Listed:
    changed = datetime.fromisoformat(entry["modified_at"]).timestamp() if entry.get("modified_at") else 0.0
    name = full_name(entry.get("model") or entry["name"])
    return Listed(name, entry.get("digest") or name, changed)


def _facts(shown: Json, settings: Settings) -> Facts:
    # Servers older than 0.6.4 do not tell; nearly all models chat, and all can be held to a schema.
    capabilities = set(shown.get("capabilities") or ("completion",))
    details: dict[str, Any] = shown.get("model_info") or {}
    family = details.get("general.architecture", "")
    own: int | None = details.get(f"{family}.context_length")
    wanted = settings.ollama_num_ctx or LARGEST_DEFAULT_CONTEXT
    return Facts(
        chat="completion" in capabilities,
        tools="tools" in capabilities,
        thinking="thinking" in capabilities,
        vision="vision" in capabilities,
        embedding="embedding" in capabilities,
        # Ollama gives a model no more than it was trained for, whatever is asked.
        context=min(wanted, own) if own else wanted,
    )


def _info(entry: Listed, facts: Facts) -> ModelInfo:
    return ModelInfo(
        id=entry.name,
        tool_mode="native" if facts.tools else "schema",
        schema=True,
        thinking=facts.thinking,
        vision=facts.vision,
        context=facts.context,
        changed=entry.changed,
        chat=facts.chat,
        aliases=(entry.name.removesuffix(":latest"),) if entry.name.endswith(":latest") else (),
    )

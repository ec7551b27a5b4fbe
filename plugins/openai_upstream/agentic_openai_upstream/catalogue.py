"""What a server lists, and what its operator says of it."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from agentic import Json, ModelError, ModelInfo, ModelNotFound
from agentic_openai_upstream.connection import Connection
from agentic_openai_upstream.refusals import Refused
from agentic_openai_upstream.settings import Upstream, place

logger = logging.getLogger(__name__)

_LISTING_S = 30.0
_TOLD = 5
# OpenAI's listing tells of no abilities; these words are in the ids of models that do other things than chat.
_NO_CHAT = re.compile(
    r"embed|rerank|whisper|transcribe|\btts\b|dall-e|moderation|gpt-image|\bsora\b|\bbge-|realtime|babbage-|davinci-",
    re.IGNORECASE,
)
_CONTEXTS = ("max_model_len", "context_length", "max_context_length", "context_window")


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of ``/models``. ``context`` in tokens where it is told, ``created`` wall time in seconds."""

    id: str
    context: int | None
    created: float


class Catalogue:
    """The models of one server."""

    def __init__(self, connection: Connection, name: str, upstream: Upstream) -> None:
        self._connection = connection
        self._name = name
        self._upstream = upstream
        self._ids: tuple[str, ...] = ()
        self._without_tools: set[str] = set()

    async def models(self) -> list[ModelInfo]:
        """All that is listed; at most one of them is the default. Raises as :meth:`Connection.fetch` does."""
        listed = await self.listed()
        chat = [entry.id for entry in listed if self._chats(entry.id)]
        default = self._upstream.default_model or next(iter(chat), None)
        return [self._info(entry, is_chat=entry.id in chat, is_default=entry.id == default) for entry in listed]

    async def listed(self, timeout_s: float = _LISTING_S, retry_s: float | None = None) -> list[Listed]:
        """What the server lists, each id once; of a server without a listing, the models that the settings name."""
        try:
            answer = await self._connection.fetch("GET", "/models", timeout_s=timeout_s, retry_s=retry_s)
            listed = list({entry["id"]: _listed(entry) for entry in answer["data"]}.values())
        except (KeyError, TypeError, AttributeError):
            raise ModelError(f"{self._name} listed its models in a form that is not OpenAI's") from None
        except ModelError as fault:
            named = self._named()
            if not named or not _has_no_listing(fault):
                raise
            listed = [Listed(model, None, 0) for model in named]
        self._ids = tuple(entry.id for entry in listed)
        return listed

    async def require(self, model: str) -> None:
        """Raise ModelNotFound for a model that is not listed: some servers would answer with another."""
        if model not in self._ids:
            await self.listed()
        if model not in self._ids:
            raise ModelNotFound(f"{self._name} has no model '{model}'; {self.told()}.", param="model")

    def told(self) -> str:
        """What the last listing held, in a few words."""
        if not self._ids:
            return "it lists no models"
        more = f" and {len(self._ids) - _TOLD} more" if len(self._ids) > _TOLD else ""
        return f"it lists {', '.join(self._ids[:_TOLD])}{more}"

    def default_fault(self) -> str | None:
        """What is wrong with the default model, by the last listing; None if nothing is."""
        wanted = self._upstream.default_model
        if wanted is not None and wanted not in self._ids:
            return f"{self._name} has no model '{wanted}'; {self.told()}. Correct {place(self._name, 'default_model')}."
        if not any(self._chats(model) for model in self._ids):
            return f"{self._name} offers no model that can chat; {self.told()}."
        return None

    def forbid_tools(self, model: str) -> None:
        """Remember that the model, as it is served, refused tools."""
        self._without_tools.add(model)

    def _named(self) -> list[str]:
        named = [self._upstream.default_model, *self._upstream.models, self._upstream.embedding_model]
        return list(dict.fromkeys(model for model in named if model and not set("*?[") & set(model)))

    def _chats(self, model: str) -> bool:
        if model == self._upstream.default_model:
            return True
        if self._upstream.models:
            return any(fnmatchcase(model, pattern) for pattern in self._upstream.models)
        return model != self._upstream.embedding_model and not _NO_CHAT.search(model)

    def _info(self, entry: Listed, *, is_chat: bool, is_default: bool) -> ModelInfo:
        upstream, prefix = self._upstream, f"{self._name}/"
        mode = upstream.tool_mode
        if mode == "native" and entry.id in self._without_tools:
            mode = "schema" if upstream.json_schema else "text"
        return ModelInfo(
            id=entry.id,
            tool_mode=mode,
            schema=upstream.json_schema,
            vision=any(fnmatchcase(entry.id, pattern) for pattern in upstream.vision),
            context=upstream.context or entry.context,
            changed=entry.created,
            default=is_chat and is_default,
            chat=is_chat,
            # A request for `openai/gpt-oss` means a model of the server `openai`, which may list it by that whole name.
            aliases=(entry.id.removeprefix(prefix),) if entry.id.startswith(prefix) else (),
        )


def _has_no_listing(fault: ModelError) -> bool:
    return isinstance(fault, Refused) and fault.refusal in (404, 405, 501)


def _listed(entry: Json) -> Listed:
    details: Json = entry.get("meta") or {}
    told: Sequence[object] = [details.get("n_ctx"), *(entry.get(name) for name in _CONTEXTS)]
    context = next((value for value in told if isinstance(value, int) and value > 0), None)
    created = entry.get("created")
    if not isinstance(entry["id"], str):
        raise TypeError("an id is a text")
    return Listed(entry["id"], context, float(created) if isinstance(created, (int, float)) else 0.0)

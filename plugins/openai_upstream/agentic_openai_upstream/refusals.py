"""What a server says when it refuses, as an error of ours. Keys are taken out of all that it says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from agentic import AgenticError, ContextExceeded, Json, ModelError, ModelNotFound, ModelUnavailable
from agentic.services import seconds_until
from agentic_openai_upstream.settings import Upstream, place

_BUSY = (429, 503)
_USED_UP = ("insufficient_quota", "billing_hard_limit_reached")
_TOLD_CHARACTERS = 500
_BEYOND = ("context_length_exceeded", "exceed_context_size_error")
# vLLM, LM Studio and others have no code of their own for it.
_SAID_BEYOND = re.compile(
    r"(maximum|exceed\w*|longer than|larger than|overflow\w*)\b.{0,60}\bcontext|prompt is too long"
    r"|\bcontext[ _](length|window|size)\b.{0,40}\b(exceed|overflow)",
    re.IGNORECASE | re.DOTALL,
)


class Busy(ModelUnavailable):
    """The server has too much to do; it may be asked again, not before ``retry_after_s`` where it tells that."""


class Cut(ModelError):
    """An answer that stopped before its end."""


class Refused(ModelError):
    """The server takes no such request; ``reason`` is what it says."""

    def __init__(self, message: str, status: int, reason: Reason) -> None:
        super().__init__(message)
        self.refusal = status
        self.reason = reason

    def blames(self, field: str) -> bool:
        """Whether it is this field of the body that is refused."""
        return self.refusal in (400, 422) and (self.reason.param.startswith(field) or field in self.reason.said)


class Reason(NamedTuple):
    """What the body of an error tells; all are empty where it is not of OpenAI's form."""

    said: str = ""
    code: str = ""
    param: str = ""
    kind: str = ""

    @property
    def is_beyond_context(self) -> bool:
        """Whether the prompt is longer than what the model can be given."""
        return not {self.code, self.kind}.isdisjoint(_BEYOND) or _SAID_BEYOND.search(self.said) is not None


class Origin:
    """Whose errors these are: a server's name and settings."""

    def __init__(self, name: str, upstream: Upstream) -> None:
        self.name = name
        self.url = upstream.base_url
        self._secrets = [secret for secret in upstream.secrets if secret]

    def refusal(self, status: int, headers: Mapping[str, str], data: bytes, body: Json | None) -> AgenticError:
        """The error for a status other than 200."""
        reason, model = self.reason(_decoded(data)), str((body or {}).get("model", ""))
        said = reason.said or "it gives no reason; see its log"
        if status in _BUSY and reason.code not in _USED_UP:
            return Busy(
                f"{self.name} is busy ({status}): {said}", retry_after_s=seconds_until(headers.get("retry-after"))
            )
        if model and (reason.code == "model_not_found" or (status == 404 and reason.said)):
            return ModelNotFound(f"{self.name} has no model '{model}': {said}", param="model")
        if status in (401, 403):
            # What it says may hold a part of the key.
            return ModelError(f"{self.name} refused its key ({status}): check {place(self.name, 'api_key')}.")
        if status < 400 or status == 404:
            fix = f"{place(self.name, 'base_url')} must be the address of its API, such as http://127.0.0.1:8000/v1"
            return ModelError(f"{self.url} answered {status}; {fix}.")
        return Refused(f"{self.name} refused the request ({status}): {said}", status, reason)

    def reason(self, value: Any) -> Reason:
        """What an error object says, whichever way the server writes one."""
        if isinstance(value, list) and value:
            value = value[0]
        if not isinstance(value, dict):
            return Reason()
        told = value.get("error") or value.get("detail") or value
        if not isinstance(told, dict):
            return Reason(self._clean(told if isinstance(told, str) else json.dumps(told)))
        said = told.get("message") or ""
        code, param = told.get("code"), told.get("param")
        return Reason(self._clean(str(said)), str(code or ""), str(param or ""), str(told.get("type") or ""))

    def failure(self, reason: Reason) -> ModelError:
        """The error for what a server tells in the middle of its answer."""
        if reason.is_beyond_context:
            return self.beyond_context(reason)
        return ModelError(f"{self.name} failed: {reason.said}")

    def beyond_context(self, reason: Reason) -> ContextExceeded:
        """The error for a prompt that the server refuses as too long."""
        return ContextExceeded(f"{self.name} refused the request: {reason.said}", param="messages")

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return " ".join(text.split())[:_TOLD_CHARACTERS]


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None

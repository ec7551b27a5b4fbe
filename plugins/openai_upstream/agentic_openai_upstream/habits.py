"""What a server turned out not to take, so that it is asked in its own way from then on."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agentic import Json
from agentic_openai_upstream.refusals import Refused

_OPTIONAL = ("stream_options", "reasoning_effort")
_NO_TOOLS = re.compile(
    r"enable-auto-tool-choice|--jinja|support\w*[^.]{0,30}\b(tools?|functions?)\b|\btools?\b[^.]{0,30}not support", re.I
)


@dataclass(frozen=True, slots=True)
class Habits:
    """How one model of one server is asked.

    ``unknown``: fields that it refuses and can do without. ``limit``: the field that limits an answer's tokens.
    ``strict``: whether schemas are sent as strict ones, which OpenAI takes of some forms only.
    """

    unknown: frozenset[str] = frozenset()
    limit: str = "max_tokens"
    strict: bool = True

    def after(self, refused: Refused, body: Json) -> Habits | None:
        """Other habits, under which the server may take the request that it refused; None where there are none."""
        for field in _OPTIONAL:
            if field in body and refused.blames(field):
                return replace(self, unknown=self.unknown | {field})
        if "max_tokens" in body and self.limit == "max_tokens" and _wants_other_limit(refused):
            return replace(self, limit="max_completion_tokens")
        if "response_format" in body and self.strict and _wants_no_strict_schema(refused):
            return replace(self, strict=False)
        return None

    def to_keep(self) -> Habits:
        """The habits of requests to come: what a schema was refused for holds for that schema alone."""
        return replace(self, strict=True)


def refuses_tools(refused: Refused, body: Json) -> bool:
    """Whether the model, as it is served, has no way to call tools."""
    return bool(body.get("tools")) and _NO_TOOLS.search(refused.reason.said) is not None


def _wants_other_limit(refused: Refused) -> bool:
    if refused.blames("max_completion_tokens"):
        return True
    return refused.reason.code == "unsupported_parameter" and refused.blames("max_tokens")


def _wants_no_strict_schema(refused: Refused) -> bool:
    return refused.blames("response_format") or refused.blames("schema")

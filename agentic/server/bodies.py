"""Bodies of requests that routes check by themselves, to answer 400 as OpenAI does."""

from __future__ import annotations

from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from agentic.errors import BadRequest
from agentic.messages import Json
from agentic.server.errors import way_to

Body = TypeVar("Body", bound=BaseModel)


def read_object(data: bytes) -> Json:
    """The JSON object in a body. Raises BadRequest for anything else."""
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not valid JSON in UTF-8: {error.msg} at character {error.pos}.") from None
    if not isinstance(raw, dict):
        raise BadRequest("The body must be a JSON object.")
    _refuse_depth(raw)
    return raw


def checked(form: type[Body], raw: Json) -> Body:
    """The body in its form. Raises BadRequest that names the field at fault, never its value."""
    try:
        return form.model_validate(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        # Of the alternatives that were tried, the one that went deepest is the one that was meant.
        path, told = max(((way_to(fault, raw), fault["msg"]) for fault in faults), key=lambda found: len(found[0]))
        place = ".".join(path) or None
        raise BadRequest(f"{place or 'body'}: {told}.", param=place) from None


def _refuse_depth(raw: Json) -> None:
    """What is taken is written again, to the model and to storage; orjson reads 1024 levels and writes 254."""
    try:
        orjson.dumps(raw)
    except orjson.JSONEncodeError:
        raise BadRequest("The body is nested too deeply.") from None

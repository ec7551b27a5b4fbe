"""What clients may wish for in whichever dialect: read alike, and refused in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agentic.errors import BadRequest
from agentic.messages import ImagePart, Json, image_part
from agentic.ports.model import ToolSpec
from agentic.ports.tool import schema_fault


def refuse_unsupported(body: Json, unsupported: Mapping[str, tuple[Any, ...]]) -> None:
    """Raise BadRequest for the first known field that asks for something this server cannot do.

    ``unsupported``: such fields, each with the values that ask for nothing; null always does.
    """
    for field, harmless in unsupported.items():
        value = body.get(field)
        if value is not None and value not in harmless:
            raise BadRequest(f"{field}: this server cannot do that; leave the field out.", param=field)


def client_tool(name: str, description: str | None, parameters: Json | None, place: str) -> ToolSpec:
    """A function that the client can run. Raises BadRequest where its parameters are no JSON Schema of an object."""
    if parameters and (fault := schema_fault(parameters)):
        raise BadRequest(f"{place}.parameters: {fault}.", param=f"{place}.parameters")
    return ToolSpec(
        name=name,
        description=description or "",
        parameters=parameters or {"type": "object", "properties": {}},
        client=True,
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the client's tools are to be called: a ``word`` for the model, and the ``names`` that must be there.

    ``alone``: the model is to see no other tools of the client's than these.
    """

    word: str
    names: tuple[str, ...] = ()
    alone: bool = False

    def among(self, tools: Iterable[ToolSpec]) -> tuple[ToolSpec, ...]:
        """Those of the client's tools that the model is to see. Raises BadRequest where the choice is none of them."""
        given = tuple(tools)
        known = {tool.name for tool in given}
        if len(known) < len(given):
            raise BadRequest("tools: two of them have the same name.", param="tools")
        if self.word == "required" and not given:
            raise BadRequest("tool_choice: 'required' needs tools.", param="tool_choice")
        for name in self.names:
            if name not in known:
                raise BadRequest(f"tool_choice: '{name}' is not among the tools.", param="tool_choice")
        return tuple(tool for tool in given if tool.name in self.names) if self.alone else given


def picture(url: str, place: str) -> ImagePart:
    """The picture in a ``data:`` URL. Raises BadRequest for any other URL."""
    try:
        return image_part(url)
    except ValueError:
        fault = "only data: URLs of pictures in base64 are taken; no address is fetched"
        raise BadRequest(f"{place}: {fault}.", param=place) from None

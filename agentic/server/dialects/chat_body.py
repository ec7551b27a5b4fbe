"""The body of ``POST /v1/chat/completions``: the fields that are honoured, as clients send them.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from agentic.messages import Json

NAME = r"^[a-zA-Z0-9_-]{1,64}$"


class Lenient(BaseModel):
    """Unknown keys are ignored, as OpenAI-compatible servers do."""

    # The parts are checked within the whole body, and need nothing made for themselves.
    model_config = ConfigDict(extra="ignore", defer_build=True)


class ImageUrl(Lenient):
    """A picture; only ``data:`` URLs are taken, since nothing is fetched for a client."""

    url: str


class BodyPart(Lenient):
    """A content part: text, or a picture."""

    type: str
    text: str | None = None
    image_url: ImageUrl | None = None
    refusal: str | None = None


class Function(Lenient):
    """A call's function; ``arguments`` is a JSON-encoded string."""

    name: str
    arguments: str = "{}"


class Call(Lenient):
    """A tool call in the history."""

    id: str
    type: Literal["function"] = "function"
    function: Function


class BodyMessage(Lenient):
    """A message as a client sends it."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[BodyPart] | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None


class FunctionDefinition(Lenient):
    """A function that the client can run."""

    name: Annotated[str, Field(pattern=NAME)]
    description: str | None = None
    parameters: Json | None = None


class ToolDefinition(Lenient):
    """A tool that the client can run."""

    type: Literal["function"]
    function: FunctionDefinition


class NamedFunction(Lenient):
    """The name in a tool choice."""

    name: str


class NamedChoice(Lenient):
    """A tool choice that names one function."""

    type: Literal["function"]
    function: NamedFunction


class AllowedTools(Lenient):
    """Those of the client's tools that may be called in this turn, and whether one must be."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedChoice], Field(min_length=1)]


class AllowedChoice(Lenient):
    """A tool choice that names several functions."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


class JsonSchema(Lenient):
    """A named schema for the answer."""

    name: str = "answer"
    schema_: Json = Field(alias="schema")


class TextFormat(Lenient):
    """An answer in plain text."""

    type: Literal["text"]


class JsonObjectFormat(Lenient):
    """Any JSON object as answer."""

    type: Literal["json_object"]


class JsonSchemaFormat(Lenient):
    """An answer that keeps to a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


ResponseFormat = Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]


def _kind_of_choice(value: Any) -> str:
    if isinstance(value, str):
        return "word"
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "allowed" if kind == "allowed_tools" else "named"


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("word")]
    | Annotated[NamedChoice, Tag("named")]
    | Annotated[AllowedChoice, Tag("allowed")],
    Discriminator(_kind_of_choice),
]


class StreamOptions(Lenient):
    """Options of a streamed answer."""

    include_usage: bool | None = None


class Extension(BaseModel):
    """What only this server knows; a slip in it is told, since nobody else's key can be meant.

    ``approvals``: the client will ask a person about calls that need approval.
    """

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    approvals: bool = False


class ChatRequest(Lenient):
    """The fields that are honoured; ``session_id`` and ``agentic`` are this server's own."""

    model: str | None = None
    messages: Annotated[list[BodyMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    session_id: str | None = None
    agentic: Extension | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    response_format: ResponseFormat | None = None
    tools: list[ToolDefinition] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None

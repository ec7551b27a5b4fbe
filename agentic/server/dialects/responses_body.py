"""The body of ``POST /v1/responses``: the fields that are honoured, as clients send them.

https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from agentic.messages import Json
from agentic.server.dialects.chat_body import (
    NAME,
    Extension,
    JsonObjectFormat,
    Lenient,
    TextFormat,
)

ITEMS = ("message", "function_call", "function_call_output", "reasoning", "item_reference")


class ItemPart(Lenient):
    """A part of an item's content: text, or a picture."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None


class MessageItem(Lenient):
    """A message, of whichever side; one that a response gave has an ``id``."""

    type: Literal["message"] = "message"
    id: str | None = None
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[ItemPart]


class CallItem(Lenient):
    """A call of a function of the client's; ``arguments`` is a JSON-encoded string."""

    type: Literal["function_call"]
    call_id: Annotated[str, Field(min_length=1)]
    namespace: str | None = None
    name: str
    arguments: str = "{}"


class ResultItem(Lenient):
    """What a call came to."""

    type: Literal["function_call_output"]
    call_id: Annotated[str, Field(min_length=1)]
    output: str | list[ItemPart]


class ReasoningItem(Lenient):
    """What was thought, given back; models are not shown it again."""

    type: Literal["reasoning"]


class ReferenceItem(Lenient):
    """The id of an item of a kept response, which is read in its place."""

    type: Literal["item_reference"] | None = None
    id: str


def _kind_of_item(value: Any) -> str | None:
    if not isinstance(value, dict):
        return getattr(value, "type", None)
    kind = value.get("type")
    if kind is None:
        return "item_reference" if "id" in value and "role" not in value else "message"
    return kind if isinstance(kind, str) else None


InputItem = Annotated[
    Annotated[MessageItem, Tag("message")]
    | Annotated[CallItem, Tag("function_call")]
    | Annotated[ResultItem, Tag("function_call_output")]
    | Annotated[ReasoningItem, Tag("reasoning")]
    | Annotated[ReferenceItem, Tag("item_reference")],
    Discriminator(
        _kind_of_item,
        custom_error_type="item",
        custom_error_message=f"Input items are of the types {', '.join(ITEMS)}; this one cannot be taken",
    ),
]


class FunctionBody(Lenient):
    """A function that the client can run."""

    type: Literal["function"]
    name: Annotated[str, Field(pattern=NAME)]
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None


class NamespaceBody(Lenient):
    """Functions that belong together; calls of them tell of the namespace beside the name."""

    type: Literal["namespace"]
    name: Annotated[str, Field(pattern=NAME)]
    description: str | None = None
    tools: list[FunctionBody]


class OtherTool(Lenient):
    """The type of a tool that the server is to have."""

    type: str


def _kind_of_tool(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if kind in ("function", "namespace") else "other"


ToolBody = Annotated[
    Annotated[FunctionBody, Tag("function")]
    | Annotated[NamespaceBody, Tag("namespace")]
    | Annotated[OtherTool, Tag("other")],
    Discriminator(_kind_of_tool),
]


class NamedTool(Lenient):
    """One of the tools."""

    type: Literal["function"]
    name: str


class AllowedTools(Lenient):
    """Those of the client's tools that may be called in this turn, and whether one must be."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedTool], Field(min_length=1)]


def _kind_of_choice(value: Any) -> str | None:
    if isinstance(value, str):
        return "word"
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if isinstance(kind, str) else None


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("word")]
    | Annotated[NamedTool, Tag("function")]
    | Annotated[AllowedTools, Tag("allowed_tools")],
    Discriminator(
        _kind_of_choice,
        custom_error_type="tool_choice",
        custom_error_message="Only none, auto, required, a function and allowed_tools can be chosen",
    ),
]


class SchemaFormat(Lenient):
    """An answer that keeps to a schema."""

    type: Literal["json_schema"]
    name: str = "answer"
    schema_: Json = Field(alias="schema")


class TextBody(Lenient):
    """What form the answer is to have."""

    format: Annotated[TextFormat | JsonObjectFormat | SchemaFormat, Field(discriminator="type")] | None = None
    verbosity: Literal["medium"] | None = None


class ReasoningBody(Lenient):
    """How much is to be thought. A summary is always given."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class ConversationBody(Lenient):
    """A conversation of this server's: its session id."""

    id: str


class ResponseRequest(Lenient):
    """The fields that are honoured; ``agentic`` is this server's own."""

    model: str | None = None
    input: str | Annotated[list[InputItem], Field(min_length=1)]
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | ConversationBody | None = None
    stream: bool | None = None
    background: bool | None = None
    store: bool | None = None
    agentic: Extension | None = None
    tools: list[ToolBody] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextBody | None = None
    reasoning: ReasoningBody | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    include: (
        list[
            Literal[
                "reasoning.encrypted_content",
                "message.input_image.image_url",
                "web_search_call.action.sources",
                "web_search_call.results",
                "file_search_call.results",
                "code_interpreter_call.outputs",
                "computer_call_output.output.image_url",
            ]
        ]
        | None
    ) = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


class ItemList(Lenient):
    """Items that were kept."""

    items: list[InputItem]

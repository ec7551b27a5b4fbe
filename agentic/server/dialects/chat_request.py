"""The body of ``POST /v1/chat/completions``, and what becomes of it.

Unknown keys are ignored; a known field that cannot be honoured is refused by name unless it has its default value.
https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from agentic.errors import BadRequest
from agentic.messages import Json, Message, TextPart, tool_call
from agentic.models.handle import Wishes
from agentic.ports.model import Sampling, ToolSpec
from agentic.ports.tool import schema_fault
from agentic.runtime.request import RunRequest

NAME = r"^[a-zA-Z0-9_-]{1,64}$"
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "service_tier": ("auto", "default"),
    "web_search_options": (),
    "verbosity": ("medium",),
    "moderation": (),
}
"""Known fields that this server cannot honour, with the values that ask for nothing; null always does."""


class Lenient(BaseModel):
    """Unknown keys are ignored, as OpenAI-compatible servers do."""

    model_config = ConfigDict(extra="ignore")


class Part(Lenient):
    """A content part; only text is taken."""

    type: str
    text: str | None = None
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
    content: str | list[Part] | None = None
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
ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("word")] | Annotated[NamedChoice, Tag("named")],
    Discriminator(lambda value: "word" if isinstance(value, str) else "named"),
]


class StreamOptions(Lenient):
    """Options of a streamed answer."""

    include_usage: bool | None = None


class ChatRequest(Lenient):
    """The fields that are honoured; ``session_id`` is this server's own."""

    model: str | None = None
    messages: Annotated[list[BodyMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    session_id: str | None = None
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


def refuse_unsupported(body: Json) -> None:
    """Raise BadRequest for the first known field that asks for something this server cannot do."""
    for field, harmless in UNSUPPORTED.items():
        value = body.get(field)
        if value is not None and value not in harmless:
            raise BadRequest(f"{field}: this server cannot do that; leave the field out.", param=field)


def to_run_request(body: ChatRequest, *, default_model: str, session_id: str | None, traceparent: str) -> RunRequest:
    """The request in the kernel's words. Raises BadRequest that names the field at fault."""
    if body.stream_options is not None and not body.stream:
        raise BadRequest("stream_options is for streamed answers only: set stream.", param="stream_options")
    tools = tuple(_spec(tool.function, n) for n, tool in enumerate(body.tools or ()))
    names = [tool.name for tool in tools]
    if len(set(names)) < len(names):
        raise BadRequest("tools: two of them have the same name.", param="tools")
    return RunRequest(
        model=body.model or default_model,
        messages=tuple(_message(message, n) for n, message in enumerate(body.messages)),
        session_id=session_id or body.session_id,
        client_tools=tools,
        wishes=Wishes(
            sampling=_sampling(body),
            answer_schema=_answer_schema(body.response_format),
            tool_choice=_choice(body, names),
            parallel=body.parallel_tool_calls is not False,
        ),
        options={"user": body.user, "metadata": body.metadata or {}},
        traceparent=traceparent,
    )


def _message(message: BodyMessage, n: int) -> Message:
    place = f"messages.{n}"
    if message.role == "tool" and not message.tool_call_id:
        raise BadRequest(f"{place}.tool_call_id: a tool's message needs it.", param=f"{place}.tool_call_id")
    if message.content is None and message.role not in ("assistant", "tool"):
        raise BadRequest(f"{place}.content: a {message.role} message needs it.", param=f"{place}.content")
    return Message(
        role="system" if message.role == "developer" else message.role,
        content=_content(message, place),
        tool_calls=tuple(
            tool_call(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()
        ),
        tool_call_id=message.tool_call_id or "",
        name=(message.name or "") if message.role == "tool" else "",
    )


def _content(message: BodyMessage, place: str) -> str | tuple[TextPart, ...]:
    if isinstance(message.content, str):
        return message.content
    parts: list[TextPart] = []
    for k, part in enumerate(message.content or ()):
        text = part.refusal if part.type == "refusal" else part.text
        if part.type not in ("text", "refusal") or text is None:
            where = f"{place}.content.{k}"
            raise BadRequest(f"{where}: only text parts are taken, not {part.type!r}.", param=where)
        parts.append(TextPart(text))
    if len(parts) == 1:
        return parts[0].text
    return tuple(parts) or message.refusal or ""


def _spec(function: FunctionDefinition, n: int) -> ToolSpec:
    if function.parameters and (fault := schema_fault(function.parameters)):
        place = f"tools.{n}.function.parameters"
        raise BadRequest(f"{place}: {fault}.", param=place)
    return ToolSpec(
        name=function.name,
        description=function.description or "",
        parameters=function.parameters or {"type": "object", "properties": {}},
        client=True,
    )


def _choice(body: ChatRequest, names: list[str]) -> str:
    choice = body.tool_choice
    if choice is None or choice == "auto":
        return "auto"
    if isinstance(choice, str):
        if choice == "required" and not names:
            raise BadRequest("tool_choice: 'required' needs tools.", param="tool_choice")
        return choice
    if choice.function.name not in names:
        raise BadRequest(f"tool_choice: '{choice.function.name}' is not among the tools.", param="tool_choice")
    return choice.function.name


def _sampling(body: ChatRequest) -> Sampling:
    stop = [body.stop] if isinstance(body.stop, str) else body.stop or []
    if "" in stop:
        raise BadRequest("stop: an empty text would stop every answer.", param="stop")
    return Sampling(
        temperature=body.temperature,
        top_p=body.top_p,
        max_tokens=body.max_completion_tokens or body.max_tokens,
        stop=tuple(stop),
        seed=body.seed,
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        effort=body.reasoning_effort,
    )


def _answer_schema(wanted: TextFormat | JsonObjectFormat | JsonSchemaFormat | None) -> Json | None:
    if isinstance(wanted, JsonSchemaFormat):
        return wanted.json_schema.schema_
    if isinstance(wanted, JsonObjectFormat):
        return {"type": "object"}
    return None

"""What becomes of the body of ``POST /v1/chat/completions``: a request in the kernel's words.

Unknown keys are ignored; a known field that cannot be honoured is refused by name unless it has its default value.
"""

from __future__ import annotations

from typing import Any

from agentic.errors import BadRequest
from agentic.messages import Json, Message, Part, TextPart, image_part, tool_call
from agentic.models.handle import Wishes
from agentic.ports.model import Sampling, ToolSpec
from agentic.ports.tool import schema_fault
from agentic.runtime.request import RunRequest
from agentic.server.dialects.chat_body import (
    AllowedChoice,
    BodyMessage,
    BodyPart,
    ChatRequest,
    FunctionDefinition,
    JsonObjectFormat,
    JsonSchemaFormat,
    TextFormat,
)

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
    choice = _choice(body, names)
    if isinstance(body.tool_choice, AllowedChoice):
        allowed = {tool.function.name for tool in body.tool_choice.allowed_tools.tools}
        tools = tuple(tool for tool in tools if tool.name in allowed)
    return RunRequest(
        whole=not body.stream,
        approvals=body.agentic is not None and body.agentic.approvals,
        model=body.model or default_model,
        messages=tuple(_message(message, n) for n, message in enumerate(body.messages)),
        session_id=session_id or body.session_id,
        client_tools=tools,
        wishes=Wishes(
            sampling=_sampling(body),
            answer_schema=_answer_schema(body.response_format),
            tool_choice=choice,
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


def _content(message: BodyMessage, place: str) -> str | tuple[Part, ...]:
    if isinstance(message.content, str):
        return message.content
    parts = [_part(part, message.role, f"{place}.content.{k}") for k, part in enumerate(message.content or ())]
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    return tuple(parts) or message.refusal or ""


def _part(part: BodyPart, role: str, place: str) -> Part:
    text = part.refusal if part.type == "refusal" else part.text
    if part.type in ("text", "refusal") and text is not None:
        return TextPart(text)
    if part.type != "image_url" or part.image_url is None:
        raise BadRequest(f"{place}: only text and image_url parts are taken, not {part.type!r}.", param=place)
    if role != "user":
        raise BadRequest(f"{place}: only a user's message may hold pictures.", param=place)
    try:
        return image_part(part.image_url.url)
    except ValueError:
        fault = "only data: URLs of pictures in base64 are taken; no address is fetched"
        raise BadRequest(f"{place}.image_url.url: {fault}.", param=f"{place}.image_url.url") from None


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
    wanted = choice.allowed_tools.tools if isinstance(choice, AllowedChoice) else [choice]
    for one in wanted:
        if one.function.name not in names:
            raise BadRequest(f"tool_choice: '{one.function.name}' is not among the tools.", param="tool_choice")
    return choice.allowed_tools.mode if isinstance(choice, AllowedChoice) else choice.function.name


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

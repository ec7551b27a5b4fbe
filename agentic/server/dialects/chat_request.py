"""What becomes of the body of ``POST /v1/chat/completions``: a request in the kernel's words.

Unknown keys are ignored; a known field that cannot be honoured is refused by name unless it has its default value.
"""

from __future__ import annotations

from typing import Any

from agentic.errors import BadRequest
from agentic.messages import Json, Message, Part, TextPart, tool_call
from agentic.models.handle import Wishes
from agentic.ports.model import Sampling
from agentic.runtime.request import RunRequest
from agentic.server.dialects.chat_body import (
    AllowedChoice,
    BodyMessage,
    BodyPart,
    ChatRequest,
    JsonObjectFormat,
    JsonSchemaFormat,
    NamedChoice,
    TextFormat,
    ToolChoice,
)
from agentic.server.dialects.wishes import Choice, client_tool, picture

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


def to_run_request(body: ChatRequest, *, default_model: str, session_id: str | None, traceparent: str) -> RunRequest:
    """The request in the kernel's words. Raises BadRequest that names the field at fault."""
    if body.stream_options is not None and not body.stream:
        raise BadRequest("stream_options is for streamed answers only: set stream.", param="stream_options")
    choice = _choice(body.tool_choice)
    tools = choice.among(
        client_tool(tool.function.name, tool.function.description, tool.function.parameters, f"tools.{n}.function")
        for n, tool in enumerate(body.tools or ())
    )
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
            tool_choice=choice.word,
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
    return picture(part.image_url.url, f"{place}.image_url.url")


def _choice(choice: ToolChoice | None) -> Choice:
    if isinstance(choice, NamedChoice):
        return Choice(choice.function.name, (choice.function.name,))
    if isinstance(choice, AllowedChoice):
        names = tuple(tool.function.name for tool in choice.allowed_tools.tools)
        return Choice(choice.allowed_tools.mode, names, alone=True)
    return Choice(choice or "auto")


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

"""What becomes of the body of ``POST /v1/responses``: a request in the kernel's words.

Unknown keys are ignored; a known field that cannot be honoured is refused by name unless it has its default value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentic.errors import BadRequest
from agentic.messages import ImagePart, Json, Message, Part, TextPart, tool_call
from agentic.models.handle import Wishes
from agentic.ports.model import Sampling, ToolSpec
from agentic.runtime.request import RunRequest
from agentic.server.dialects.chat_body import JsonObjectFormat
from agentic.server.dialects.responses_body import (
    AllowedTools,
    CallItem,
    FunctionBody,
    InputItem,
    ItemPart,
    MessageItem,
    NamedTool,
    NamespaceBody,
    OtherTool,
    ReferenceItem,
    ResponseRequest,
    ResultItem,
    SchemaFormat,
    TextBody,
    ToolBody,
    ToolChoice,
)
from agentic.server.dialects.responses_ids import full_name
from agentic.server.dialects.wishes import Choice, client_tool, picture

UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "max_tool_calls": (),
    "top_logprobs": (0,),
    "service_tier": ("auto", "default"),
    "prompt": (),
    "moderation": (),
    "context_management": ([],),
    "background_options": ({},),
    "access_programs": ({},),
    "image": ({},),
}
"""Known fields that this server cannot honour, with the values that ask for nothing; null always does."""

_EDITION = re.compile(r"(_preview)?(_\d{4}_\d{2}_\d{2})?")
_TEXTS = ("input_text", "output_text", "text", "summary_text")


def to_run_request(
    body: ResponseRequest,
    referenced: Mapping[str, Sequence[InputItem]],
    *,
    default_model: str,
    session_id: str | None,
    traceparent: str,
) -> RunRequest:
    """The request in the kernel's words, with the items that it refers to. Raises BadRequest that names the field."""
    session = _session(body, session_id)
    if body.background and body.store is False:
        raise BadRequest("background: what is not stored cannot be asked for later.", param="background")
    choice = _choice(body.tool_choice)
    return RunRequest(
        whole=not body.stream,
        approvals=body.agentic is not None and body.agentic.approvals,
        model=body.model or default_model,
        messages=tuple(_messages(body.input, referenced)),
        instructions=body.instructions or "",
        session_id=session,
        keep=body.store is not False,
        lasting=bool(body.background),
        client_tools=choice.among(_functions(body.tools or ())),
        wishes=Wishes(
            sampling=Sampling(
                temperature=body.temperature,
                top_p=body.top_p,
                max_tokens=body.max_output_tokens,
                effort=body.reasoning.effort if body.reasoning else None,
            ),
            answer_schema=_answer_schema(body.text),
            tool_choice=choice.word,
            parallel=body.parallel_tool_calls is not False,
        ),
        options={"user": body.user or body.safety_identifier, "metadata": body.metadata or {}},
        traceparent=traceparent,
        asked=_repeated(body),
    )


def refuse_missing_tools(body: ResponseRequest, installed: Collection[str]) -> None:
    """Raise BadRequest for a tool that is no function and that the server has not under the name of its type.

    Those that it has are offered in any case, to every agent that can use them.
    """
    for n, tool in enumerate(body.tools or ()):
        if isinstance(tool, OtherTool) and not any(_is_edition(tool.type, name) for name in installed):
            fault = "the server has no tool of this name; functions are run by the client"
            raise BadRequest(f"tools.{n}.type: {tool.type!r}: {fault}.", param=f"tools.{n}.type")


def references(body: ResponseRequest) -> dict[str, str]:
    """The items that the request refers to: id to its place in the body."""
    items = [] if isinstance(body.input, str) else body.input
    return {item.id: f"input.{n}.id" for n, item in enumerate(items) if isinstance(item, ReferenceItem)}


def _is_edition(kind: str, name: str) -> bool:
    """Whether a type is a name, or one that OpenAI has made of it for a time."""
    return kind.startswith(name) and _EDITION.fullmatch(kind[len(name) :]) is not None


def _session(body: ResponseRequest, named: str | None) -> str | None:
    conversation = body.conversation
    session = (conversation if isinstance(conversation, str | None) else conversation.id) or named
    if session and body.previous_response_id:
        told = "previous_response_id: it says already which conversation goes on; name no other one."
        raise BadRequest(told, param="previous_response_id")
    return session


def _messages(given: str | Sequence[InputItem], referenced: Mapping[str, Sequence[InputItem]]) -> Iterator[Message]:
    """The items as messages: what one side has said or called without the other coming in between is one message."""
    last: Message | None = None
    is_open = False
    for message, goes_on in [(Message("user", given), False)] if isinstance(given, str) else _each(given, referenced):
        if last is not None and is_open and goes_on and isinstance(message.content, str):
            calls = (*last.tool_calls, *message.tool_calls)
            last = replace(last, content=f"{last.text}{message.text}", tool_calls=calls)
            continue
        if last is not None:
            yield last
        last, is_open = message, message.role == "assistant"
    if last is None:
        raise BadRequest("input: there is nothing in it that a model could be shown.", param="input")
    yield last


def _each(given: Sequence[InputItem], referenced: Mapping[str, Sequence[InputItem]]) -> Iterator[tuple[Message, bool]]:
    """Each item as a message, and whether it may go on with one of the assistant's before it."""
    for n, item in enumerate(given):
        if isinstance(item, ReferenceItem):
            yield from _each(referenced[item.id], {})
        elif isinstance(item, MessageItem):
            role = "system" if item.role == "developer" else item.role
            # Items of one response belong together; messages that a client has written stand by themselves.
            yield Message(role, _content(item, f"input.{n}")), role == "assistant" and item.id is not None
        elif isinstance(item, CallItem):
            yield (
                Message(
                    "assistant",
                    tool_calls=(tool_call(item.call_id, full_name(item.namespace, item.name), item.arguments),),
                ),
                True,
            )
        elif isinstance(item, ResultItem):
            yield Message("tool", _result(item, f"input.{n}"), tool_call_id=item.call_id), False


def _content(item: MessageItem, place: str) -> str | tuple[Part, ...]:
    if isinstance(item.content, str):
        return item.content
    parts = tuple(_part(part, f"{place}.content.{k}") for k, part in enumerate(item.content))
    if item.role != "user" and any(isinstance(part, ImagePart) for part in parts):
        raise BadRequest(f"{place}.content: only a user's message may hold pictures.", param=f"{place}.content")
    if all(isinstance(part, TextPart) for part in parts) and (len(parts) < 2 or item.role == "assistant"):
        return "".join(part.text for part in parts if isinstance(part, TextPart))
    return parts


def _part(part: ItemPart, place: str) -> Part:
    text = part.refusal if part.type == "refusal" else part.text
    if part.type in (*_TEXTS, "refusal") and text is not None:
        return TextPart(text)
    if part.type != "input_image":
        raise BadRequest(f"{place}: only input_text and input_image parts are taken, not {part.type!r}.", param=place)
    if part.image_url is None:
        raise BadRequest(f"{place}.image_url: only pictures that are sent along are taken.", param=f"{place}.image_url")
    return picture(part.image_url, f"{place}.image_url")


def _result(item: ResultItem, place: str) -> str:
    if isinstance(item.output, str):
        return item.output
    parts = [_part(part, f"{place}.output.{k}") for k, part in enumerate(item.output)]
    for k, part in enumerate(parts):
        if not isinstance(part, TextPart):
            raise BadRequest(f"{place}.output.{k}: the result of a call is text.", param=f"{place}.output.{k}")
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def _functions(tools: Sequence[ToolBody]) -> Iterator[ToolSpec]:
    for n, tool in enumerate(tools):
        if isinstance(tool, FunctionBody):
            yield client_tool(tool.name, tool.description, tool.parameters, f"tools.{n}")
        elif isinstance(tool, NamespaceBody):
            for k, one in enumerate(tool.tools):
                name = full_name(tool.name, one.name)
                yield client_tool(name, one.description, one.parameters, f"tools.{n}.tools.{k}")


def _choice(choice: ToolChoice | None) -> Choice:
    if isinstance(choice, NamedTool):
        return Choice(choice.name, (choice.name,))
    if isinstance(choice, AllowedTools):
        return Choice(choice.mode, tuple(tool.name for tool in choice.tools), alone=True)
    return Choice(choice or "auto")


def _answer_schema(text: TextBody | None) -> Json | None:
    wanted = text.format if text else None
    if isinstance(wanted, SchemaFormat):
        return wanted.schema_
    return {"type": "object"} if isinstance(wanted, JsonObjectFormat) else None


def _repeated(body: ResponseRequest) -> Json:
    """The fields that a response repeats, those that were left out with what holds for them."""
    given = body.model_dump(mode="json", by_alias=True, exclude={"input", "stream", "include", "agentic", "model"})
    given["background"] = bool(body.background)
    given["store"] = body.store is not False
    given["metadata"] = body.metadata or {}
    given["parallel_tool_calls"] = body.parallel_tool_calls is not False
    given["tool_choice"] = given["tool_choice"] or "auto"
    given["tools"] = given["tools"] or []
    for tool in given["tools"]:
        for function in (tool, *tool.get("tools", ())):
            if function["type"] == "function":
                function["strict"] = bool(function["strict"])
    given["text"] = {"format": (given["text"] or {}).get("format") or {"type": "text"}, "verbosity": "medium"}
    given["reasoning"] = given["reasoning"] or {"effort": None, "summary": None}
    given["truncation"] = given["truncation"] or "auto"
    if isinstance(body.conversation, str):
        given["conversation"] = {"id": body.conversation}
    return {name: value for name, value in given.items() if name != "conversation" or value}

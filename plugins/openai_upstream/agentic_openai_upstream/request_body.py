"""Our messages, tools and sampling as OpenAI writes them."""

from __future__ import annotations

import json
from typing import Any

from agentic import Json, Message, ModelRequest, ToolCall, ToolSpec
from agentic_openai_upstream.habits import Habits
from agentic_openai_upstream.settings import Upstream


def chat_body(request: ModelRequest, upstream: Upstream, habits: Habits) -> Json:
    """The body of ``/chat/completions``. What the request says wins over the server's ``extra_body``."""
    body: Json = {
        **upstream.extra_body,
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        **_sampling(request, habits),
    }
    if request.tools:
        body["tools"] = [_tool(spec) for spec in request.tools]
    if request.schema is not None:
        wanted = {"name": "answer", "schema": request.schema, "strict": habits.strict}
        body["response_format"] = {"type": "json_schema", "json_schema": wanted}
    return {name: value for name, value in body.items() if name not in habits.unknown}


def _sampling(request: ModelRequest, habits: Habits) -> Json:
    sampling = request.sampling
    fields = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        habits.limit: sampling.max_tokens,
        "stop": list(sampling.stop) or None,
        "seed": sampling.seed,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "reasoning_effort": sampling.effort,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _tool(spec: ToolSpec) -> Json:
    function = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
    return {"type": "function", "function": function}


def _message(message: Message) -> Json:
    data: Json = {"role": message.role, "content": message.text}
    if message.images:
        data["content"] = [_part(part) for part in message.content]
    if message.tool_calls:
        data["content"] = message.text or None
        data["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.role == "tool":
        data["tool_call_id"] = message.tool_call_id
    return data


def _part(part: Any) -> Json:
    """A stretch of text, or a picture with its bytes."""
    url = getattr(part, "url", None)
    return {"type": "text", "text": part.text} if url is None else {"type": "image_url", "image_url": {"url": url}}


def _call(call: ToolCall) -> Json:
    # Words that are no JSON would be refused, or would break the template of the model.
    arguments = json.dumps({"malformed": call.malformed} if call.malformed else call.arguments, ensure_ascii=False)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}

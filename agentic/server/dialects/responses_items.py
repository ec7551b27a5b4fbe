"""The output items of a response, made of a run's events one after the other, with what a stream tells of each step.

What is thought and what the server's tools do is a ``reasoning`` item, what is said a ``message``, a call of the
client's tools a ``function_call``. A message ends where a tool is called: whatever else happens in its midst is told
with the next reasoning, so that an answer is one message.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentic.events import (
    ApprovalNeeded,
    Citation,
    CitationAdded,
    Entry,
    HandedOver,
    TextDelta,
    ToolCallStarted,
    entry_to_json,
)
from agentic.messages import Json, ToolCall, call_to_json
from agentic.server.dialects.responses_ids import item_id, name_of
from agentic.server.dialects.steps import STEPS, thought

ENDS_OF_MESSAGES = (ToolCallStarted, ApprovalNeeded)
"""What a client must be told of at once, also in the midst of an answer."""


class Items:
    """The items so far; each method returns the events of the stream, which are numbered by who writes them.

    ``tools`` are those of the request, as its client has named them.
    """

    def __init__(self, run_id: str, tools: list[Json]) -> None:
        self.items: list[Json] = []
        self._tools = tools
        self._run_id = run_id
        self._kind = ""
        self._texts: list[str] = []
        self._held: list[str] = []
        self._citations: list[Citation] = []
        self._said = 0

    def take(self, entry: Entry) -> list[Json]:
        """An event's effect on the items."""
        event = entry.event
        if isinstance(event, TextDelta):
            return self._say(event.text)
        if isinstance(event, HandedOver):
            return [*self.close(), *(told for call in event.calls for told in self._call(call))]
        if isinstance(event, CitationAdded):
            self._citations.append(event.citation)
        step = entry_to_json(entry) if isinstance(event, STEPS) else None
        text = thought(event)
        if not text:
            return []
        if self._kind == "message" and not isinstance(event, ENDS_OF_MESSAGES):
            self._held.append(text)
            return []
        return self._think(text, step)

    def finish(self, status: str) -> list[Json]:
        """The end of what is open; an answer without a word is an empty message."""
        told: list[Json] = []
        is_silent = not any(item["type"] in ("message", "function_call") for item in self.items)
        if status == "completed" and is_silent:
            told = self._open("message")
        return [*told, *self.close(status, last=True)]

    def snapshot(self) -> list[Json]:
        """The items as they are now."""
        if not self._kind:
            return self.items
        return [*self.items[:-1], self._filled("in_progress", [])]

    def _say(self, text: str) -> list[Json]:
        told = [] if self._kind == "message" else self._open("message")
        self._texts.append(text)
        # The most frequent of all, so its fields are written out.
        told.append(
            {
                "type": "response.output_text.delta",
                "item_id": self.items[-1]["id"],
                "output_index": len(self.items) - 1,
                "content_index": 0,
                "delta": text,
                "logprobs": [],
            }
        )
        return told

    def _think(self, text: str, step: Json | None) -> list[Json]:
        told = [] if self._kind == "reasoning" else self._open("reasoning")
        text = "".join((*self._held, text))
        self._held.clear()
        self._texts.append(text)
        delta = self._part_event("reasoning_summary_text.delta", delta=text)
        return [*told, {**delta, "agentic": step} if step else delta]

    def _open(self, kind: str) -> list[Json]:
        told = self.close()
        self._kind = kind
        number = len(self.items)
        if kind == "message":
            content: Json = {"role": "assistant", "content": []}
            part: Json = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            item = {"id": item_id("msg", self._run_id, "out", number), "type": kind, "status": "in_progress", **content}
        else:
            part = {"type": "summary_text", "text": ""}
            item = {"id": item_id("rs", self._run_id, "out", number), "type": kind, "status": "in_progress"}
            item |= {"summary": [], "encrypted_content": None}
        self.items.append(item)
        return [*told, self._item_event("added"), self._part_event(f"{self._place}_part.added", part=part)]

    def close(self, status: str = "completed", *, last: bool = False) -> list[Json]:
        """End the item that is open, if any; ``last``: it is where sources without a place belong."""
        if not self._kind:
            return []
        text = "".join(self._texts)
        annotations = self._annotations(len(text), last=last) if self._kind == "message" else []
        item = self._filled(status, annotations)
        told = [
            self._part_event("output_text.annotation.added", annotation_index=n, annotation=one)
            for n, one in enumerate(annotations)
        ]
        if self._kind == "message":
            told.append({**self._part_event("output_text.done"), "text": text, "logprobs": []})
            told.append(self._part_event("content_part.done", part=item["content"][0]))
            self._said += len(text)
        else:
            told.append({**self._part_event("reasoning_summary_text.done"), "text": text})
            told.append(self._part_event("reasoning_summary_part.done", part=item["summary"][0]))
        self.items[-1] = item
        self._kind = ""
        self._texts.clear()
        return [*told, self._item_event("done")]

    def _call(self, call: ToolCall) -> list[Json]:
        arguments = call_to_json(call)["function"]["arguments"]
        fields: Json = {
            "id": item_id("fc", self._run_id, "out", len(self.items)),
            "type": "function_call",
            "status": "in_progress",
            "call_id": call.id,
            **name_of(call.name, self._tools),
            "arguments": "",
        }
        self.items.append(fields)
        place: Json = {"item_id": fields["id"], "output_index": len(self.items) - 1}
        told = [self._item_event("added")]
        told.append({"type": "response.function_call_arguments.delta", **place, "delta": arguments})
        done: Json = {"type": "response.function_call_arguments.done", **place, "name": fields["name"]}
        told.append({**done, "arguments": arguments})
        self.items[-1] = {**fields, "status": "completed", "arguments": arguments}
        return [*told, self._item_event("done")]

    def _filled(self, status: str, annotations: Sequence[Json]) -> Json:
        """The open item with what it holds."""
        text = "".join(self._texts)
        item = {**self.items[-1], "status": status}
        if self._kind == "message":
            item["content"] = [{"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}]
        else:
            item["summary"] = [{"type": "summary_text", "text": text}]
        return item

    def _annotations(self, length: int, *, last: bool) -> list[Json]:
        """The sources of the open message. Offsets in the whole answer become such in this part of it."""
        taken = []
        for one in list(self._citations):
            start, end = (one.start or 0) - self._said, (one.end or 0) - self._said
            is_here = bool(one.end) and 0 <= start <= end <= length
            if is_here or last:
                taken.append(annotation(one, start if is_here else 0, end if is_here else 0))
                self._citations.remove(one)
        return taken

    @property
    def _place(self) -> str:
        return "content" if self._kind == "message" else "reasoning_summary"

    def _item_event(self, what: str) -> Json:
        number = len(self.items) - 1
        return {"type": f"response.output_item.{what}", "output_index": number, "item": self.items[-1]}

    def _part_event(self, what: str, **fields: object) -> Json:
        index = "content_index" if self._kind == "message" else "summary_index"
        item = {"item_id": self.items[-1]["id"], "output_index": len(self.items) - 1, index: 0}
        return {"type": f"response.{what}", **item, **fields}


def annotation(citation: Citation, start: int, end: int) -> Json:
    """A source as an annotation of a text."""
    return {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title,
        "start_index": start,
        "end_index": end,
    }

"""The model as an agent holds it: the same for every model, whatever its way of calling tools."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from agentic.errors import AgenticError, BudgetExceeded, ModelError, RunEnded
from agentic.events import TextDelta, ThinkingDelta
from agentic.messages import Json, Message
from agentic.models.ask import Ask, Ranker
from agentic.models.caller import Caller
from agentic.models.fit import fit, observed
from agentic.models.form import fault_in
from agentic.models.ledger import Log
from agentic.models.native import native
from agentic.models.plain import as_plain, delimited, write_calls
from agentic.models.schema import schema as by_schema
from agentic.models.text import text
from agentic.models.whole import whole
from agentic.models.window import Window
from agentic.ports.model import Model, ModelDelta, ModelInfo, Reply, Sampling, ToolChoice, ToolMode, ToolSpec

logger = logging.getLogger(__name__)

MEND = """That answer does not have the form that was asked for: {}. Write the whole answer again, as JSON of that \
form and nothing else."""
MODES: dict[ToolMode, Callable[[Ask], AsyncGenerator[ModelDelta, None]]] = {
    "native": native,
    "schema": by_schema,
    "text": text,
    "fit": fit,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the client asked of every model call of its run."""

    sampling: Sampling = Sampling()
    answer_schema: Json | None = None
    tool_choice: ToolChoice = "auto"
    parallel: bool = True


class ModelHandle(Model):
    """One run's model."""

    def __init__(
        self,
        caller: Caller,
        *,
        log: Log,
        window: Window,
        wishes: Wishes,
        rank: Ranker,
        untrusted: frozenset[str],
        new_call_id: Callable[[], str],
        mends: bool = False,
    ) -> None:
        """``mends``: nobody reads along, so that an answer which lacks the client's form may be written once more."""
        self.info: ModelInfo = caller.chosen.info
        self._caller = caller
        self._log = log
        self._window = window
        self._wishes = wishes
        self._rank = rank
        self._untrusted = untrusted
        self._new_call_id = new_call_id
        self._mends = mends

    async def stream(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = (), schema: Json | None = None
    ) -> AsyncGenerator[ModelDelta, None]:
        """See :class:`agentic.ports.model.Model`. Calls carry ids that are unique in the run."""
        called = False
        async with aclosing(self._deltas(messages, tools, schema)) as deltas:
            async for delta in deltas:
                called = called or bool(delta.calls)
                if called:
                    calls = tuple(replace(call, id=self._new_call_id()) for call in delta.calls)
                    delta = replace(delta, calls=calls, finish=delta.finish and "tool_calls")  # noqa: PLW2901
                yield delta

    def _deltas(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], schema: Json | None
    ) -> AsyncGenerator[ModelDelta, None]:
        shows_results = self.info.tool_mode == "fit" and schema is None and observed(messages)
        if not shows_results:
            messages = self._window.fit(messages, tools)
        if tools or shows_results:
            ask = self._ask(messages, tools, schema)
            return MODES[self._mode(ask)](ask)
        messages = delimited(messages, self._untrusted)
        if self.info.tool_mode != "native":
            messages = as_plain(messages, write_calls)
        return self._caller.stream(messages, schema=schema, sampling=self._sampling(schema))

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[ToolSpec] = (),
        schema: type[BaseModel] | Json | None = None,
        say: bool = False,
        hold: bool = False,
    ) -> Reply:
        """See :class:`agentic.ports.model.Model`. Thinking goes to the user in any case.

        The answer keeps to the client's ``response_format``, see :meth:`_formed`. Where tools are at hand as well,
        and calls are written in the answer itself, a turn decides on them first, since a constrained answer could not
        hold them.
        """
        wanted = schema.model_json_schema() if isinstance(schema, type) else schema
        if (say or hold) and wanted is None and self._wishes.answer_schema is not None:
            if tools and self._mode(self._ask(messages, tools, None)) in ("native", "text"):
                reply = await self._gather(messages, tools, None, say=False)
                if reply.calls:
                    return reply
                tools = ()
            return await self._formed(messages, tools, self._wishes.answer_schema, say=say)
        reply = await self._gather(messages, tools, wanted, say=say)
        if schema is None or reply.calls:
            return reply
        return replace(reply, parsed=_parsed(reply, schema))

    async def _formed(self, messages: Sequence[Message], tools: Sequence[ToolSpec], form: Json, *, say: bool) -> Reply:
        """What the model writes under the client's schema; ``say``: it is said as well.

        Not every server holds its model to one, and to all of it. Where nobody reads along, an answer that does not fit
        is written once more by a model that is told why.
        """
        is_read = say and not self._mends
        reply = await self._gather(messages, tools, form, say=is_read)
        if is_read or reply.calls:
            return reply
        fault = await asyncio.to_thread(fault_in, reply.text, form) if reply.finish == "stop" else ""
        if fault:
            reply = await self._mended(messages, reply, fault, form)
        if say and reply.text:
            self._log.emit(TextDelta(reply.text))
        return reply

    async def _mended(self, messages: Sequence[Message], reply: Reply, fault: str, form: Json) -> Reply:
        logger.info("[Models] An answer that does not fit its response_format is written once more")
        again = [*messages, Message("assistant", reply.text), Message("user", MEND.format(fault))]
        try:
            better = await self._gather(again, (), form, say=False)
        except (BudgetExceeded, RunEnded, asyncio.CancelledError):
            self._log.note(TextDelta(reply.text))
            raise
        except AgenticError as error:
            logger.warning("[Models] The answer stays as it was: code=%s", error.code)
            return reply
        return replace(better, usage=reply.usage + better.usage)

    async def _gather(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], schema: Json | None, *, say: bool
    ) -> Reply:
        emit = self._log.emit

        def show(delta: ModelDelta) -> None:
            if say and delta.text:
                emit(TextDelta(delta.text))
            if delta.thinking:
                emit(ThinkingDelta(delta.thinking))

        return await whole(self.stream(messages, tools=tools, schema=schema), show)

    def _sampling(self, schema: Json | None) -> Sampling:
        """The client's; but its limits are meant for the answer, and would cut what an agent asks for by a schema."""
        if schema is None or schema == self._wishes.answer_schema:
            return self._wishes.sampling
        return replace(self._wishes.sampling, max_tokens=None, stop=())

    def _ask(self, messages: Sequence[Message], tools: Sequence[ToolSpec], schema: Json | None) -> Ask:
        """A forced choice speaks of the client's tools, so those alone are offered then."""
        wishes = self._wishes
        choice = wishes.tool_choice if any(tool.client for tool in tools) else "auto"
        if choice != "auto":
            tools = [tool for tool in tools if tool.client and choice in ("required", tool.name)]
        return Ask(
            caller=self._caller,
            messages=delimited(messages, self._untrusted),
            observed=observed(messages),
            tools=tools,
            schema=schema,
            choice=choice,
            parallel=wishes.parallel,
            sampling=wishes.sampling,
            deciding=replace(wishes.sampling, max_tokens=None, stop=()),
            rank=self._rank,
        )

    def _mode(self, ask: Ask) -> ToolMode:
        """The model's own mode; but no native API can be held to a choice, and a schema can."""
        if ask.choice != "auto" and self.info.tool_mode == "native":
            return "schema" if self.info.schema else "text"
        return self.info.tool_mode


def _parsed(reply: Reply, schema: type[BaseModel] | Json) -> Any:
    """The reply's text as a value of the schema; raises ModelError if it is none."""
    cut = " It was cut off." if reply.finish == "length" else ""
    if isinstance(schema, type):
        try:
            return schema.model_validate_json(reply.text)
        except ValidationError as error:
            raise ModelError(f"The model's answer does not fit the schema {schema.__name__}.{cut}") from error
    import jsonschema

    try:
        value = json.loads(reply.text)
        jsonschema.validate(value, schema)
    except (ValueError, RecursionError, jsonschema.ValidationError) as error:
        raise ModelError(f"The model's answer does not fit the schema.{cut}") from error
    return value

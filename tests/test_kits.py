"""The kits for storage and tools pass what keeps its promises, and fail what breaks one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Sequence
from typing import Annotated, Any

import pytest

from agentic import (
    Stored,
    Tool,
    ToolError,
    ToolResult,
    tool,
)
from agentic.testing.storage import MemoryStorage, StorageConformance
from agentic.testing.tool import FakeContext, ToolConformance, call

REFUSED = (AssertionError, pytest.fail.Exception)


class TestMemoryStorage(StorageConformance):
    @pytest.fixture
    async def backend(self) -> MemoryStorage:
        return MemoryStorage()


class IgnoresVersions(MemoryStorage):
    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        return await super().save(key, value)


class IgnoresLengths(MemoryStorage):
    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        return await super().append(key, items)


class AppendsOneByOne(MemoryStorage):
    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        length = await super().append(key, [], if_length=if_length)
        for item in items:
            length = await super().append(key, [item])
        return length


class ForgetsTheLog(MemoryStorage):
    async def delete(self, key: str) -> bool:
        return self._documents.pop(key, None) is not None


class ListsInAnyOrder(MemoryStorage):
    async def list(
        self, prefix: str, *, after: str | None = None, limit: int = 100, newest_first: bool = False
    ) -> Sequence[Stored]:
        return (await super().list(prefix, after=after, limit=limit))[::-1]


class NeverWaits(MemoryStorage):
    async def read(self, key: str, *, after: int = 0, limit: int = 1000, wait_s: float = 0) -> Sequence[Any]:
        return await super().read(key, after=after, limit=limit)


class TurnsNumbersIntoFloats(MemoryStorage):
    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        return await super().save(key, float(value) if isinstance(value, int) else value, if_version=if_version)


class NamesDocumentsAlone(MemoryStorage):
    async def keys(self, prefix: str, *, after: str | None = None, limit: int = 1000) -> Sequence[str]:
        return [stored.key for stored in await self.list(prefix, after=after, limit=limit)]


class RestoresAsNew(MemoryStorage):
    async def restore(self, stored: Stored) -> None:
        await self.save(stored.key, stored.value)


BROKEN_STORAGE = [
    (NamesDocumentsAlone, "test_keys_are_those_of_documents_and_of_logs"),
    (RestoresAsNew, "test_restored_document_has_its_version_and_time"),
    (IgnoresVersions, "test_stale_version_conflicts_and_changes_nothing"),
    (IgnoresVersions, "test_of_twenty_writers_one_wins_each_version"),
    (IgnoresLengths, "test_append_is_all_or_none"),
    (AppendsOneByOne, "test_append_is_all_or_none"),
    (ForgetsTheLog, "test_delete_removes_document_and_log_alone"),
    (ListsInAnyOrder, "test_key_order_is_by_code_point_and_pages_join"),
    (ListsInAnyOrder, "test_newest_first_follows_saves_and_pages_join"),
    (NeverWaits, "test_every_waiting_reader_wakes_for_its_own_log"),
    (NeverWaits, "test_read_gives_up_after_wait_s"),
    (TurnsNumbersIntoFloats, "test_values_come_back_equal"),
]


@pytest.mark.parametrize(("broken", "test"), BROKEN_STORAGE, ids=lambda value: getattr(value, "__name__", value))
async def test_storage_that_breaks_a_promise_fails_the_kit(broken: type[MemoryStorage], test: str) -> None:
    with pytest.raises(REFUSED):
        await getattr(StorageConformance(), test)(broken())


async def test_storage_that_loses_what_it_acknowledged_to_a_killed_process_fails_the_kit() -> None:
    """A writer in another process tells of saves that this storage has never seen."""
    maker = "from agentic.testing.storage import MemoryStorage\nmake = MemoryStorage"
    with pytest.raises(REFUSED):
        await StorageConformance().test_killed_under_load_it_has_lost_nothing_acknowledged(
            MemoryStorage(), MemoryStorage, maker
        )


# Tools


@tool(examples=["Repeat hello"])
async def repeat(
    text: Annotated[str, "what to repeat"], times: Annotated[int, "how often, 1 to 9"] = 2
) -> ToolResult | str:
    """Repeat a text some times."""
    if not (text.strip() and 1 <= times <= 9):
        raise ToolError("text must not be empty, times 1 to 9")
    await asyncio.sleep(0.02)
    return text[:100] * times


class SchemaTool(Tool):
    """The same, with a JSON Schema for its arguments."""

    name = "repeat_plain"
    description = "Repeat a text."
    args = {  # noqa: RUF012 — the port declares it without ClassVar
        "type": "object",
        "properties": {"text": {"type": "string", "description": "what to repeat", "minLength": 1}},
        "required": ["text"],
    }
    traits = repeat.traits

    def suggest(self, text: str) -> dict[str, Any] | None:
        return {"text": text[7:]} if text.startswith("Repeat ") else None

    async def run(self, args: Any, ctx: Any) -> str:
        ctx.progress("repeating", 0.5)
        return args["text"] * 2


class TestFunctionTool(ToolConformance):
    @pytest.fixture
    def tool(self) -> Tool:
        return repeat

    @pytest.fixture
    def arguments(self) -> list[dict[str, Any]]:
        return [{"text": "hello"}, {"text": "hello", "times": 3}]


class TestSchemaTool(ToolConformance):
    @pytest.fixture
    def tool(self) -> Tool:
        return SchemaTool()

    @pytest.fixture
    def arguments(self) -> list[dict[str, Any]]:
        return [{"text": "hello"}]


class BadlyNamed(SchemaTool):
    name = "Repeat-It"


class Undescribed(SchemaTool):
    args = {"type": "object", "properties": {"text": {"type": "string"}}}  # noqa: RUF012 — as above


class NoSchema(SchemaTool):
    args = {"type": "object", "properties": {"text": {"type": "words"}}}  # noqa: RUF012 — as above


class SuggestsNonsense(SchemaTool):
    def suggest(self, text: str) -> dict[str, Any] | None:
        return {"txt": text}


class SuggestRaises(SchemaTool):
    def suggest(self, text: str) -> dict[str, Any] | None:
        return {"text": text.split(maxsplit=1)[0]}


class LetsBugsOut(SchemaTool):
    async def run(self, args: Any, ctx: Any) -> str:
        return args["text"].encode("ascii").decode() if len(args["text"]) < 1000 else str(1 / 0)


class SaysNothing(SchemaTool):
    async def run(self, args: Any, ctx: Any) -> str:
        return ""


class IgnoresCancelling(SchemaTool):
    async def run(self, args: Any, ctx: Any) -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(5)
        await asyncio.sleep(2)
        return "done"


class ReturnsNoText(SchemaTool):
    async def run(self, args: Any, ctx: Any) -> Any:
        return {"text": args["text"]}


class Sleeps(SchemaTool):
    async def run(self, args: Any, ctx: Any) -> str:
        time.sleep(0.001)  # noqa: ASYNC251 - what the kit is to find
        return "done"


class ConnectsByItself(SchemaTool):
    async def run(self, args: Any, ctx: Any) -> str:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
            return "done"


SAMPLE = [{"text": "hello"}]
BROKEN_TOOLS = [
    (BadlyNamed, "test_name_can_be_called_by_any_model", ()),
    (Undescribed, "test_schema_is_an_object_with_described_properties", ()),
    (NoSchema, "test_schema_is_an_object_with_described_properties", ()),
    (SuggestsNonsense, "test_suggest_never_raises_and_fits_the_schema", ()),
    (SuggestRaises, "test_suggest_never_raises_and_fits_the_schema", ()),
    (LetsBugsOut, "test_garbage_is_refused_with_an_error_for_the_model", (SAMPLE, FakeContext())),
    (ReturnsNoText, "test_run_finds_something_within_its_timeout", (SAMPLE, FakeContext())),
    (Sleeps, "test_run_never_waits_in_the_event_loop", (SAMPLE, FakeContext())),
    (ConnectsByItself, "test_run_never_waits_in_the_event_loop", (SAMPLE, FakeContext())),
    (SaysNothing, "test_run_finds_something_within_its_timeout", (SAMPLE, FakeContext())),
    (IgnoresCancelling, "test_cancelling_is_prompt", (SAMPLE, FakeContext())),
]


@pytest.mark.parametrize(("broken", "test", "more"), BROKEN_TOOLS)
async def test_tool_that_breaks_a_promise_fails_the_kit(broken: type[Tool], test: str, more: tuple[Any, ...]) -> None:
    with pytest.raises(Exception) as failure:  # a tool's bug comes out as it is
        outcome = getattr(ToolConformance(), test)(broken(), *more)
        await outcome
    assert not isinstance(failure.value, TypeError), "the kit's test passed and gave nothing to await"


async def test_call_validates_as_the_kernel_does() -> None:
    context = FakeContext()
    assert await call(SchemaTool(), {"text": "ab"}, context) == ToolResult("abab")
    assert context.told == [("repeating", 0.5)]
    with pytest.raises(ToolError):
        await call(repeat, {"text": " "})


async def test_what_is_no_result_is_told_by_its_type() -> None:
    with pytest.raises(AssertionError, match=r"tool \w+ returned a dict: return a text or an agentic.ToolResult"):
        await call(ReturnsNoText(), {"text": "ab"})


async def test_tool_that_waits_in_a_thread_passes_the_kit() -> None:
    class Patient(SchemaTool):
        async def run(self, args: Any, ctx: Any) -> str:
            await asyncio.to_thread(time.sleep, 0.001)
            return "done"

    await ToolConformance().test_run_never_waits_in_the_event_loop(Patient(), SAMPLE, FakeContext())

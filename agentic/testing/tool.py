"""Kit for tools: :class:`ToolConformance`; :class:`FakeContext` and :func:`call` for a tool's own tests.

A plugin subclasses the kit in its own tests::

    class TestDice(ToolConformance):
        @pytest.fixture
        def tool(self):
            return roll_dice

        @pytest.fixture
        def arguments(self):
            return [{"sides": 20, "count": 2}]
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError

from agentic.errors import ToolError
from agentic.events import File
from agentic.messages import Json
from agentic.ports.space import Principal, Space
from agentic.ports.tool import Tool, ToolContext, ToolResult
from agentic.testing.blocking import blocking_calls
from agentic.testing.space import FakeSpace

__all__ = ["FakeContext", "FakeSpace", "ToolConformance", "call", "schema_of"]

ODD_TEXTS = [
    "",
    " \n\t",
    "\x00\ufffe\u2028",
    "😀" * 500,
    "((((((" * 200,
    "```python\nprint(1)",
    '{"a": [1, {',
    "a" * 50_000,
    "1+" * 20_000,
    "¿Qué tiempo hace? 你好 مرحبا",
]
GARBAGE: list[Any] = [
    None,
    True,
    -1,
    10**30,
    float("inf"),
    "",
    "x" * 100_000,
    "\x00'\";--",
    [],
    [[]],
    {},
    {"a": {"b": 1}},
]


class FakeContext(ToolContext):
    """A call's context for tests; ``told`` keeps what the tool said of its progress as ``(text, done)``."""

    def __init__(
        self, *, principal: Principal | None = None, space: Space | None = None, call_id: str = "call-1"
    ) -> None:
        self.call_id = call_id
        self.principal = principal or Principal("user-1", "alice")
        self.space = space or FakeSpace()
        self.conversation = FakeSpace()
        self.files: list[tuple[str, str, bytes]] = []
        self.told: list[tuple[str, float | None]] = []

    async def save_file(self, name: str, media_type: str, data: bytes) -> File:
        """Keep it in ``files`` as ``(name, media_type, data)``."""
        self.files.append((name, media_type, data))
        return File(name, media_type, len(data), f"/files/{name}")

    def progress(self, text: str, done: float | None = None) -> None:
        """Keep it in ``told``."""
        self.told.append((text, done))


def schema_of(tool: Tool) -> Json:
    """The JSON Schema of a tool's arguments, as a model sees it."""
    if isinstance(tool.args, type) and issubclass(tool.args, BaseModel):
        return tool.args.model_json_schema()
    assert isinstance(tool.args, dict), "args is a pydantic model or a JSON Schema object"
    return tool.args


async def call(tool: Tool, arguments: Json, context: ToolContext | None = None) -> ToolResult:
    """Validate and run, as the kernel does.

    Raises what the tool raises; pydantic's or jsonschema's ValidationError for arguments that do not fit the schema;
    AssertionError where it returns what is no result.
    """
    result = await tool.run(_validated(tool, arguments), context or FakeContext())
    assert isinstance(result, (str, ToolResult)), (
        f"tool {tool.name} returned a {type(result).__name__}: return a text or an agentic.ToolResult"
    )
    return ToolResult(result) if isinstance(result, str) else result


class ToolConformance:
    """What every tool owes to the model, the router and the toolbox. Override ``tool`` and ``arguments``."""

    @pytest.fixture
    def tool(self) -> Tool:
        """The tool under test, made to work offline."""
        raise NotImplementedError("override the fixture `tool`")

    @pytest.fixture
    def arguments(self) -> Sequence[Json]:
        """Samples of arguments with which the tool finds a result."""
        raise NotImplementedError("override the fixture `arguments`")

    @pytest.fixture
    def context(self) -> ToolContext:
        """The context of the calls; override it where the tool needs more than storage."""
        return FakeContext()

    def test_name_can_be_called_by_any_model(self, tool: Tool) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,63}", tool.name), f"not a tool's name: {tool.name!r}"

    def test_description_and_examples_tell_when_to_use_it(self, tool: Tool) -> None:
        assert tool.description.strip(), "the model chooses by the description"
        assert tool.traits.examples, "the router and small models choose by the examples"
        assert all(isinstance(example, str) and example.strip() for example in tool.traits.examples)

    def test_traits_are_sound(self, tool: Tool) -> None:
        assert tool.traits.risk in ("read", "write", "execute")
        assert 0 < tool.traits.timeout_s <= 3600

    def test_schema_is_an_object_with_described_properties(self, tool: Tool) -> None:
        schema = schema_of(tool)
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema.get("type") == "object"
        definitions = schema.get("$defs", {})
        for name, field in schema.get("properties", {}).items():
            target = definitions.get(str(field.get("$ref", "")).rpartition("/")[2], {})
            assert field.get("description") or target.get("description"), f"describe the argument {name!r}"

    def test_sample_arguments_fit_the_schema(self, tool: Tool, arguments: Sequence[Json]) -> None:
        assert arguments, "give at least one sample"
        for sample in arguments:
            _validated(tool, sample)

    def test_suggest_never_raises_and_fits_the_schema(self, tool: Tool) -> None:
        for text in [*tool.traits.examples, *ODD_TEXTS]:
            suggested = tool.suggest(text)
            if suggested is not None:
                assert isinstance(suggested, dict)
                _validated(tool, suggested)

    def test_suggest_is_fast(self, tool: Tool) -> None:
        for text in tool.traits.examples:
            assert _seconds(tool, text) < 0.005, f"suggest takes over 5 ms: {text!r}"
        for text in ODD_TEXTS:
            assert _seconds(tool, text) < 0.05, f"suggest takes over 50 ms for {len(text)} characters"

    async def test_run_finds_something_within_its_timeout(
        self, tool: Tool, arguments: Sequence[Json], context: ToolContext
    ) -> None:
        for sample in arguments:
            result = await asyncio.wait_for(call(tool, sample, context), tool.traits.timeout_s)
            assert isinstance(result, ToolResult)
            assert result.content.strip(), "the model needs something to read"
            assert not result.error, result.content

    async def test_run_never_waits_in_the_event_loop(
        self, tool: Tool, arguments: Sequence[Json], context: ToolContext
    ) -> None:
        with blocking_calls() as blocking:
            for sample in arguments:
                await call(tool, sample, context)
        assert not blocking, (
            f"{blocking[0]} stops the server for everybody: await what is async, or use asyncio.to_thread"
        )

    async def test_runs_side_by_side(self, tool: Tool, arguments: Sequence[Json], context: ToolContext) -> None:
        if not tool.traits.parallel:
            pytest.skip("the tool says that it does not run beside other calls")
        samples = [arguments[number % len(arguments)] for number in range(4)]
        for result in await asyncio.gather(*(call(tool, sample, context) for sample in samples)):
            assert result.content.strip()

    async def test_garbage_is_refused_with_an_error_for_the_model(
        self, tool: Tool, arguments: Sequence[Json], context: ToolContext
    ) -> None:
        limit = tool.traits.timeout_s + 5
        for garbage in _garbage(schema_of(tool), arguments[0]):
            try:
                result = await asyncio.wait_for(call(tool, garbage, context), limit)
            except (ToolError, ValidationError, jsonschema.ValidationError) as refusal:
                assert str(refusal).strip()
            else:
                assert isinstance(result, ToolResult)

    async def test_cancelling_is_prompt(self, tool: Tool, arguments: Sequence[Json], context: ToolContext) -> None:
        for delay in (0, 0.01):
            running = asyncio.create_task(call(tool, arguments[0], context))
            await asyncio.sleep(delay)
            running.cancel()
            done, _ = await asyncio.wait([running], timeout=1)
            assert done, "a cancelled tool ends within a second"
            # A tool may have finished before it was cancelled; it must not turn the cancelling into an error.
            assert running.cancelled() or running.exception() is None
        assert (await call(tool, arguments[0], context)).content.strip(), "the next call works"


def _validated(tool: Tool, arguments: Json) -> Any:
    if isinstance(tool.args, type) and issubclass(tool.args, BaseModel):
        return tool.args.model_validate(arguments)
    jsonschema.Draft202012Validator(schema_of(tool)).validate(arguments)
    return dict(arguments)


def _seconds(tool: Tool, text: str) -> float:
    """The best of five, since a busy machine only ever adds time."""
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        tool.suggest(text)
        best = min(best, time.perf_counter() - started)
    return best


def _garbage(schema: Mapping[str, Any], sample: Json) -> list[Json]:
    fields = list(schema.get("properties", {}))
    spoiled = [{**sample, field: junk} for field in fields for junk in GARBAGE]
    missing = [{name: value for name, value in sample.items() if name != field} for field in fields]
    return [{}, {**sample, "no_such_argument": 1}, *missing, *spoiled]

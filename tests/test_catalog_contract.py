"""What a tool of a plugin must be: every odd one is refused with its cause and a fix."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
from pydantic import BaseModel, RootModel

from agentic import Decision, Json, Router, Tool, Traits, tool
from agentic.catalog.contract import capabilities
from agentic.catalog.fault import Fault


class Node(BaseModel):
    """Arguments whose schema has no type of its own, for it refers to itself."""

    children: list[Node] = []


class Odd(Tool):
    """A tool that is well but for what a test makes of it."""

    name = "odd"
    description = "Does odd things"

    def __init__(self, args: Any = None, **traits: Any) -> None:
        self.args = {"type": "object"} if args is None else args
        self.traits = Traits(**traits)

    async def run(self, args: Any, ctx: Any) -> str:
        """Nothing is run here."""
        return ""


def refused(odd: Tool) -> Fault:
    with pytest.raises(Fault) as caught:
        capabilities("agentic_tools", "plugin", odd)
    return caught.value


@pytest.mark.parametrize("examples", ["Roll", ["Roll"], (b"Roll",), None, 7])
def test_examples_that_are_no_tuple_of_texts_are_refused(examples: Any) -> None:
    fault = refused(Odd(examples=examples))
    assert fault.cause == "the examples of tool odd are no tuple of texts"
    assert 'examples=("Roll two dice", ' in fault.fix


@pytest.mark.parametrize("limit", [0, -1, True, None, "30", float("nan"), float("inf")])
def test_time_limit_that_is_no_positive_number_is_refused(limit: Any) -> None:
    fault = refused(Odd(timeout_s=limit))
    assert fault.cause == "the timeout_s of tool odd is no positive number"
    assert "timeout_s=30" in fault.fix


@pytest.mark.parametrize("risk", ["low", None, []])
def test_unknown_risk_is_refused(risk: Any) -> None:
    assert refused(Odd(risk=risk)).fix == "Write one of: read, write, execute"


@pytest.mark.parametrize(
    ("args", "wrong"),
    [
        (7, "the schema is no JSON object"),
        ({}, "the schema's type is not 'object'"),
        ({"type": "array"}, "the schema's type is not 'object'"),
        ({"type": "object", "properties": ["city"]}, "the schema's properties are no object of schemas"),
        ({"type": "object", "properties": {"city": "string"}}, "the schema's properties are no object of schemas"),
        ({"type": "object", "$defs": None}, "the schema's $defs are no object of schemas"),
        ({"type": "object", "definitions": {"Point": 3}}, "the schema's definitions are no object of schemas"),
        ({"type": "object", "required": "city"}, "the schema's required is no list of names"),
        ({"type": "object", "default": {1, 2}}, "the schema is not JSON"),
        (RootModel[list[int]], "the schema's type is not 'object'"),
    ],
)
def test_arguments_without_a_schema_that_can_be_used_are_refused(args: Any, wrong: str) -> None:
    fault = refused(Odd(args))
    assert fault.cause == f"the arguments of tool odd are invalid: {wrong}"
    assert fault.fix.startswith("Use a pydantic model, or a schema like")


@pytest.mark.parametrize("args", [{"type": "object", "$defs": {"Any": True}}, Node])
def test_sound_arguments_are_taken(args: type[BaseModel] | Json) -> None:
    [capability] = capabilities("agentic_tools", "plugin", Odd(args, timeout_s=0.5, examples=("Roll",)))
    assert capability.offered


def test_decorator_refuses_one_text_as_examples_and_says_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"write examples=\['Greet Ann'\]"):
        tool(examples="Greet Ann")


def test_decorator_without_parentheses_says_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"write @tool\(\) with its parentheses"):

        @tool  # type: ignore[arg-type]
        async def greet(name: str) -> str:
            """Greet."""
            return name


def test_decorator_refuses_arguments_that_no_model_can_see() -> None:
    with pytest.raises(TypeError, match=r"tool greet: name each argument, .* \*names takes"):

        @tool()
        async def greet(*names: str) -> str:
            """Greet."""
            return ""


class Handing(Odd):
    """Hands a call on without awaiting it, and takes what it does not need under other names."""

    def run(self, given: Any, *rest: Any) -> Awaitable[str]:
        """What the odd tool runs."""
        return super().run(given, *rest)


def test_method_that_works_in_another_way_is_taken() -> None:
    [capability] = capabilities("agentic_tools", "plugin", Handing())
    assert capability.offered


class Named(Router):
    """A router of this name."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def decide(self, contest: Any) -> Decision | None:
        """Leave it to the auction."""
        return None


@pytest.mark.parametrize("name", ["auction", "request"])
def test_router_by_a_name_of_the_kernels_own_is_refused(name: str) -> None:
    with pytest.raises(Fault, match=f"the router name '{name}' is the kernel's own"):
        capabilities("agentic_routers", "plugin", Named(name))


def test_router_is_taken_under_its_name() -> None:
    [found] = capabilities("agentic_routers", "plugin", Named("mine"))
    assert (found.kind, found.name) == ("router", "mine")

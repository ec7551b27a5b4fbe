"""``@tool``: an async function becomes a tool; its signature is the schema, its docstring the description."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from agentic.ports.tool import Risk, Tool, ToolContext, ToolResult, Traits

ToolFunction = Callable[..., Awaitable["ToolResult | str"]]


class FunctionTool(Tool):
    """A tool made from a function. Calling it calls the function, so that it can be tested as it is."""

    def __init__(self, function: ToolFunction, name: str, traits: Traits) -> None:
        self.name = name
        self.description = inspect.cleandoc(function.__doc__ or "")
        self.traits = traits
        self.function = function
        self.args, self._context_name = _arguments(function)

    async def __call__(self, *args: Any, **kwargs: Any) -> ToolResult | str:
        return await self.function(*args, **kwargs)

    async def run(self, args: Any, ctx: ToolContext) -> ToolResult | str:
        """Call the function with the validated arguments, and with the context where it asks for one."""
        values = {field: getattr(args, field) for field in type(args).model_fields}
        if self._context_name:
            values[self._context_name] = ctx
        return await self.function(**values)


def tool(
    function: None = None,
    /,
    *,
    name: str | None = None,
    risk: Risk = "read",
    untrusted: bool = False,
    timeout_s: float = 30,
    parallel: bool = True,
    idempotent: bool = True,
    examples: Iterable[str] = (),
) -> Callable[[ToolFunction], FunctionTool]:
    """Make an async function a tool.

    A parameter's annotation is its type; ``Annotated[int, "faces per die"]`` describes it to the model as well. A
    parameter annotated with ``ToolContext`` receives the call's context, unseen by the model. The other arguments are
    those of :class:`Traits`. Raises TypeError where the function or the examples are not what a tool can be made of.
    """
    if function is not None:
        raise TypeError("write @tool() with its parentheses")
    if isinstance(examples, str):
        raise TypeError(f"examples are requests, not one text: write examples=[{examples[:80]!r}]")
    traits = Traits(
        risk=risk,
        untrusted=untrusted,
        timeout_s=timeout_s,
        parallel=parallel,
        idempotent=idempotent,
        examples=tuple(examples),
    )

    def decorate(function: ToolFunction) -> FunctionTool:
        called = name or str(getattr(function, "__name__", "tool"))
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"tool {called}: write it as `async def`")
        if not function.__doc__:
            raise TypeError(f"tool {called}: give it a docstring, the model chooses by it")
        return FunctionTool(function, called, traits)

    return decorate


def _arguments(function: ToolFunction) -> tuple[type[BaseModel], str]:
    """The pydantic model of the function's parameters, and the name of the one that takes the context."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    context_name = ""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(
                f"tool {function.__name__}: name each argument, a model cannot see what *{parameter.name} takes"
            )
        hint = hints.get(parameter.name, Any)
        if hint is ToolContext:
            context_name = parameter.name
            continue
        described = [note for note in getattr(hint, "__metadata__", ()) if isinstance(note, str)]
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (hint, Field(default, description=described[0] if described else None))
    model = create_model(
        f"{getattr(function, '__name__', 'tool')}_arguments", __config__=ConfigDict(extra="forbid"), **fields
    )
    return model, context_name

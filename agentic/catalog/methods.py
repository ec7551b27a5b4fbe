"""Whether a plugin's methods can be called as the kernel calls them; told at the start, not at their first use."""

from __future__ import annotations

import inspect
from types import FunctionType

from agentic.catalog.fault import Fault


def check_method(what: str, kind: type, port: type, name: str) -> None:
    """Raise Fault where ``kind`` does not write a method of ``port``, or writes it so that no call would work."""
    written, wanted = getattr(kind, name, None), getattr(port, name)
    if written is wanted:
        raise Fault(f"{what} has no method {name}", f"Write {kind.__name__}.{name}")
    # Of anything else, such as what a decorator has made, it shows when it is called.
    if not isinstance(written, FunctionType) or hasattr(written, "__wrapped__"):
        return
    if inspect.iscoroutinefunction(wanted):
        promised = str(written.__annotations__.get("return", ""))
        if not inspect.iscoroutinefunction(written) and "Awaitable" not in promised and "Coroutine" not in promised:
            raise Fault(f"the method {name} of {what} is not async", f"Write it as `async def {name}`")
    elif inspect.iscoroutinefunction(written):
        raise Fault(f"the method {name} of {what} is async", f"Write it as `def {name}`")
    _check_parameters(what, written, wanted)


def _check_parameters(what: str, written: FunctionType, wanted: FunctionType) -> None:
    code, model = written.__code__, wanted.__code__
    count = model.co_argcount
    if code.co_argcount == count and code.co_varnames[:count] == model.co_varnames[:count]:
        return
    parameters = [one for one in inspect.signature(wanted).parameters.values() if one.default is one.empty]
    given = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    named = {one.name: None for one in parameters if one.kind is one.KEYWORD_ONLY}
    try:
        inspect.signature(written).bind(*given, **named)
    except TypeError:
        takes = ", ".join([*given, *(["*", *named] if named else [])])
        raise Fault(
            f"the method {written.__name__} of {what} does not take ({takes})",
            f"Write {'async ' * inspect.iscoroutinefunction(wanted)}def {written.__name__}({takes})",
        ) from None

"""The hook implementations of one plugin, checked against the hookspecs by pluggy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any

import pluggy

from agentic.catalog.fault import Fault

Hooks = Mapping[str, list[Callable[[Mapping[str, Any]], Any]]]
"""Hook name → callables that take all arguments there are, and pass on those their implementation asks for."""


def read_hooks(manager: pluggy.PluginManager, module: Any, name: str) -> Hooks:
    """The hooks that ``module`` implements. Raises Fault for an unknown hook or a wrong signature.

    ``manager`` forgets the plugin again if there is a fault.
    """
    try:
        manager.register(module, name)
    except pluggy.PluginValidationError as error:
        raise _signature_fault(manager, error) from error
    except ValueError as error:
        raise Fault("its module is that of another plugin already loaded", "Give each entry point its own") from error
    if not manager.get_hookcallers(module):
        _check_marks(manager, module)
    try:
        return {caller.name: [_call(one) for one in _own(caller, module)] for caller in _callers(manager, module)}
    except Fault:
        manager.unregister(module)
        raise


def _callers(manager: pluggy.PluginManager, module: Any) -> list[pluggy.HookCaller]:
    callers = manager.get_hookcallers(module) or []
    unknown = []
    for caller in callers:
        # `check_pending` would name the first of them only, and of any plugin.
        if not caller.has_spec() and not all(one.optionalhook for one in _own(caller, module)):
            unknown.append(caller.name)
    if unknown:
        raise _unknown_fault(manager, unknown)
    return [caller for caller in callers if caller.has_spec()]


def _own(caller: pluggy.HookCaller, module: Any) -> list[pluggy.HookImpl]:
    return [one for one in caller.get_hookimpls() if one.plugin is module]


def _call(implementation: pluggy.HookImpl) -> Callable[[Mapping[str, Any]], Any]:
    if implementation.wrapper or implementation.hookwrapper:
        raise Fault(
            f"its hook {implementation.function.__name__} is a wrapper",
            "Write a plain hook: hooks are not chained here",
        )

    def call(arguments: Mapping[str, Any]) -> Any:
        positional = [arguments[name] for name in implementation.argnames]
        # pluggy leaves out what has a default; an author who writes `settings=None` wants the settings all the same.
        named = {name: arguments[name] for name in implementation.kwargnames if name in arguments}
        return implementation.function(*positional, **named)

    return call


def _check_marks(manager: pluggy.PluginManager, module: Any) -> None:
    """Raise Fault for a module without hooks, be it that its functions bear the names of some."""
    named = [name for name in _known(manager) if callable(getattr(module, name, None))]
    manager.unregister(module)
    if named:
        raise Fault(
            f"its function {named[0]} is not marked as a hook", f"Put @hookimpl, from agentic, above {', '.join(named)}"
        )
    raise Fault(
        "its module has no hook", "Write one, such as agentic_tools, or let its entry point name another module"
    )


def _unknown_fault(manager: pluggy.PluginManager, unknown: list[str]) -> Fault:
    known = _known(manager)
    advice = []
    for name in sorted(unknown):
        near = difflib.get_close_matches(name, known, 1)
        advice.append(f"rename {name} to {near[0]}" if near else f"remove {name} or update agentic-server")
    words = "an unknown hook" if len(unknown) == 1 else "unknown hooks"
    fix = ", ".join(advice)
    return Fault(f"it has {words}: {', '.join(sorted(unknown))}", fix[:1].upper() + fix[1:])


def _signature_fault(manager: pluggy.PluginManager, error: pluggy.PluginValidationError) -> Fault:
    lines = str(error).splitlines()
    named = re.search(r"for hook '(\w+)'", lines[0])
    if named is None:
        return Fault(f"a hook of it is wrong: {lines[-1]}", "Correct the hook")
    spec = getattr(manager.hook, named[1]).spec
    allowed = ", ".join(spec.argnames) if spec is not None else ""
    takes = f"it may ask for: {allowed}" if allowed else "it takes no arguments"
    return Fault(f"its hook {named[1]} has a wrong signature: {lines[-1]}", f"Correct {named[1]}: {takes}")


def _known(manager: pluggy.PluginManager) -> list[str]:
    callers = (getattr(manager.hook, name) for name in vars(manager.hook))
    return [caller.name for caller in callers if isinstance(caller, pluggy.HookCaller) and caller.has_spec()]

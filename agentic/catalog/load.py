"""Finding, checking and loading plugins, each by itself: a broken one is set aside and the others work."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import cached_property
from importlib.metadata import EntryPoint
from typing import Any

import pluggy
from pydantic import BaseModel

from agentic import hookspecs
from agentic.catalog.catalog import Capability, Catalog, Plugin
from agentic.catalog.contract import CONTRACTS, capabilities
from agentic.catalog.discovery import GROUP, discover
from agentic.catalog.environment import InvalidSettings, construct, read_variables, secret_values
from agentic.catalog.fault import Fault, import_fault, raised_fault
from agentic.catalog.hooks import Hooks, read_hooks
from agentic.catalog.settings import Settings
from agentic.errors import ConfigurationError

logger = logging.getLogger(__name__)


def load(settings: Settings, *, only: Collection[str] | None = None) -> Catalog:
    """Load every installed plugin, in name order, and return what is there.

    ``only``: these plugins and no other (safe mode). A plugin left out by it, or by AGENTIC_DISABLE, is not even
    imported. A broken one is quarantined, logged, and listed with cause and fix. Raises ConfigurationError if ``only``
    names what is not installed.
    """
    found = discover()
    names = Counter(one.plugin.name for one in found)
    _check_selection(settings.agentic_disable, only, names)
    loader = _Loader(settings)
    for one in found:
        plugin, entry = one.plugin, one.entry
        reason = _left_out(plugin.name, settings.agentic_disable, only)
        if reason is not None:
            plugin.state, plugin.cause, plugin.fix = "disabled", *reason
        elif isinstance(entry, Fault):
            _quarantine(plugin, entry)
        elif names[plugin.name] > 1:
            _quarantine(plugin, _twice([other.plugin for other in found if other.plugin.name == plugin.name]))
        else:
            # What a plugin prints as it is imported would stand within answers and JSON.
            with redirect_stdout(sys.stderr):
                loader.load(plugin, entry)
    return Catalog([one.plugin for one in found])


class _Loader:
    """Loads one plugin after the other, and remembers which capability names are taken."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.taken: dict[tuple[str, str], Plugin] = {}

    @cached_property
    def variables(self) -> Mapping[str, str]:
        """What plugins' settings are read from; for all of them once, since reading ``.env`` takes milliseconds."""
        return read_variables()

    def load(self, plugin: Plugin, entry: EntryPoint) -> None:
        """Load it whole, or set it aside whole."""
        try:
            module = _imported(entry, plugin)
            hooks = read_hooks(self.manager, module, plugin.name)
            plugin.hooks = frozenset(hooks)
            offered = self._collect(plugin, entry, hooks)
            self._check_free(plugin, offered)
        except Fault as fault:
            _quarantine(plugin, fault)
            return
        plugin.capabilities = offered
        self.taken |= {(one.kind, one.name): plugin for one in offered if one.offered}
        if offered and not any(one.offered for one in offered):
            plugin.state, plugin.cause = "not_configured", "a setting is missing"
            plugin.fix = " ".join(dict.fromkeys(one.fix for one in offered))

    def _collect(self, plugin: Plugin, entry: EntryPoint, hooks: Hooks) -> list[Capability]:
        plugin.settings_type = model = _settings_type(plugin, entry, hooks)
        plugin.settings = None if model is None else _bound(model, self.variables)
        arguments = {"settings": plugin.settings, "data_dir": self.settings.data_dir}
        secrets = [*secret_values(plugin.settings), *secret_values(self.settings)]
        offered: list[Capability] = []
        for hook in CONTRACTS:
            for implementation in hooks.get(hook, ()):
                try:
                    # A generator runs only here, so its errors are the hook's.
                    returned = implementation(arguments)
                    offered += capabilities(hook, plugin.name, returned)
                except (Fault, KeyboardInterrupt):
                    raise
                except BaseException as error:
                    raise raised_fault(entry, hook, error, plugin.distribution, secrets) from error
        return offered

    def _check_free(self, plugin: Plugin, offered: Iterable[Capability]) -> None:
        own: set[tuple[str, str]] = set()
        for one in offered:
            key = (one.kind, one.name)
            what = f"{one.kind.replace('_', ' ')} {one.name!r}"
            if key in own:
                raise Fault(f"it offers the {what} twice", "Rename one of them")
            own.add(key)
            owner = self.taken.get(key) if one.offered else None
            if owner is not None:
                raise Fault(
                    f"its {what} has the name of one that plugin {owner.title} offers",
                    f"Keep one of them: uninstall the other, or set AGENTIC_DISABLE={owner.name}",
                )


def _imported(entry: EntryPoint, plugin: Plugin) -> Any:
    if not entry.pattern.match(entry.value):
        again = f"Correct it, or run: pip install --force-reinstall {plugin.distribution}"
        raise Fault(f"its entry point {entry.name} = {entry.value!r} names no module", again)
    try:
        return entry.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise import_fault(entry, error, plugin.distribution) from error


def _settings_type(plugin: Plugin, entry: EntryPoint, hooks: Hooks) -> type[BaseModel] | None:
    hook = "agentic_settings"
    for implementation in hooks.get(hook, ()):
        try:
            returned = implementation({})
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise raised_fault(entry, hook, error, plugin.distribution) from error
        if isinstance(returned, type) and issubclass(returned, BaseModel):
            return returned
        if returned is not None:
            kind = type(returned).__name__
            raise Fault(f"its hook {hook} returned a {kind}", "Return a class that subclasses pydantic.BaseModel")
    return None


def _bound(model: type[BaseModel], variables: Mapping[str, str]) -> BaseModel:
    try:
        return construct(model, variables)
    except InvalidSettings as error:
        cause = "; ".join(f"invalid setting {fault.name}: {fault.fault}" for fault in error.faults)
        examples = ", ".join(fault.example for fault in error.faults if fault.example)
        names = ", ".join(fault.name for fault in error.faults)
        raise Fault(cause, f"Set for example {examples}" if examples else f"Correct {names}") from error
    except ConfigurationError:
        raise
    except Exception as error:
        raise Fault(
            f"its settings cannot be read from the environment: {type(error).__name__}",
            f"Correct the class {model.__name__} that its hook agentic_settings returns",
        ) from error


def _twice(plugins: Sequence[Plugin]) -> Fault:
    titles = ", ".join(f"{plugin.distribution} {plugin.version}" for plugin in plugins)
    return Fault(
        f"{len(plugins)} distributions bring a plugin named {plugins[0].name!r}: {titles}",
        f"Keep one of them, for example: pip uninstall {plugins[-1].distribution}",
    )


def _check_selection(disabled: Iterable[str], only: Collection[str] | None, found: Collection[str]) -> None:
    unknown = sorted(set(only or ()) - set(found))
    if unknown:
        raise ConfigurationError(
            f"Safe mode: no plugin named {', '.join(unknown)} is installed. Installed: {', '.join(sorted(found))}."
        )
    for name in sorted(set(disabled) - set(found)):
        logger.warning("[Catalog] AGENTIC_DISABLE: no plugin named %r is installed", name)


def _left_out(name: str, disabled: Collection[str], only: Collection[str] | None) -> tuple[str, str] | None:
    """Why and how to undo it, for a plugin that the operator left out."""
    if name in disabled:
        return "AGENTIC_DISABLE names it", "Take it out of AGENTIC_DISABLE to have it back"
    if only is not None and name not in only:
        return "safe mode leaves it out", "Start without safe mode, or name it there"
    return None


def _quarantine(plugin: Plugin, fault: Fault) -> None:
    plugin.state, plugin.cause, plugin.fix = "quarantined", fault.cause, fault.fix
    logger.warning("[Catalog] Quarantine: %s", plugin)
    logger.debug("[Catalog] Quarantine: %s", plugin.name, exc_info=fault)

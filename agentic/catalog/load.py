"""Finding, checking and loading plugins, each by itself: a broken one is set aside and the others work."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy
from pydantic import BaseModel

from agentic import hookspecs
from agentic.catalog.catalog import Capability, Catalog, Plugin
from agentic.catalog.contract import CONTRACTS, capabilities
from agentic.catalog.fault import Fault, import_fault, raised_fault
from agentic.catalog.hooks import Hooks, read_hooks
from agentic.catalog.settings import InvalidSettings, Settings, bind, secret_values
from agentic.errors import ConfigurationError

logger = logging.getLogger(__name__)
GROUP = "agentic"


def load(settings: Settings, *, only: Collection[str] | None = None) -> Catalog:
    """Load every installed plugin, in name order, and return what is there.

    ``only``: these plugins and no other (safe mode). A plugin left out by it, or by AGENTIC_DISABLE, is not even
    imported. A broken one is quarantined, logged, and listed with cause and fix. Raises ConfigurationError if ``only``
    names what is not installed.
    """
    found: defaultdict[str, list[EntryPoint]] = defaultdict(list)
    for entry in entry_points(group=GROUP):
        found[entry.name].append(entry)
    _check_selection(settings.agentic_disable, only, found)
    loader = _Loader(settings)
    plugins: list[Plugin] = []
    for name in sorted(found):
        reason = _left_out(name, settings.agentic_disable, only)
        for entry in found[name]:
            plugin = _described(entry)
            plugins.append(plugin)
            if reason is not None:
                plugin.state, plugin.cause, plugin.fix = "disabled", *reason
            elif len(found[name]) > 1:
                _quarantine(plugin, _twice(name, found[name]))
            else:
                loader.load(plugin, entry)
    return Catalog(plugins)


class _Loader:
    """Loads one plugin after the other, and remembers which capability names are taken."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.taken: dict[tuple[str, str], Plugin] = {}

    def load(self, plugin: Plugin, entry: EntryPoint) -> None:
        """Load it whole, or set it aside whole."""
        try:
            module = _imported(entry, plugin)
            hooks = read_hooks(self.manager, module, plugin.name)
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
        plugin.settings_type = _settings_type(plugin, entry, hooks)
        plugin.settings = _bound(plugin.settings_type)
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


def _described(entry: EntryPoint) -> Plugin:
    distribution = entry.dist
    metadata: Any = distribution.metadata if distribution is not None else None
    name = (metadata["Name"] if metadata is not None else None) or "an unknown distribution"
    version = (metadata["Version"] if metadata is not None else None) or "of unknown version"
    return Plugin(entry.name, name, version)


def _imported(entry: EntryPoint, plugin: Plugin) -> Any:
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


def _bound(model: type[BaseModel] | None) -> BaseModel | None:
    if model is None:
        return None
    try:
        return bind(model)
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


def _twice(name: str, entries: Iterable[EntryPoint]) -> Fault:
    titles = sorted(f"{plugin.distribution} {plugin.version}" for plugin in map(_described, entries))
    removed = titles[-1].partition(" ")[0]
    return Fault(
        f"{len(titles)} distributions bring a plugin named {name!r}: {', '.join(titles)}",
        f"Keep one of them, for example: pip uninstall {removed}",
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

"""Which plugins are installed, by their entry points. Nothing of them is imported here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points

from agentic.catalog.catalog import Plugin, canonical
from agentic.catalog.contract import NAME, NAME_RULE
from agentic.catalog.fault import Fault

logger = logging.getLogger(__name__)
GROUP = "agentic"
_FILE = "entry_points.txt"


@dataclass(frozen=True, slots=True)
class Found:
    """An installed plugin, and its entry point; or, where that cannot be read, what is wrong with it."""

    plugin: Plugin
    entry: EntryPoint | Fault


def discover() -> list[Found]:
    """Every entry point of the group, in name order. A distribution whose list is damaged hides no other.

    One of the same name and module in a second folder of the same distribution is what an installer has left behind.
    """
    try:
        entries = list(entry_points(group=GROUP))
    except Exception:
        # One damaged list anywhere on the path makes `entry_points` raise: then each distribution by itself.
        logger.debug("[Catalog] Discovery: a distribution's list of entry points is damaged", exc_info=True)
        found = list(_one_by_one())
    else:
        found = [_found(entry) for entry in entries]
    return sorted({_key(one): one for one in reversed(found)}.values(), key=_key)


def _one_by_one() -> Iterator[Found]:
    seen: set[str] = set()
    for distribution in distributions():
        name, version = identity(distribution)
        key = canonical(name)
        if key and key in seen:
            continue
        seen.add(key)
        try:
            entries = list(distribution.entry_points.select(group=GROUP))
        except Exception as error:
            logger.debug("[Catalog] Discovery: %s has a damaged list of entry points", name, exc_info=error)
            if name and _may_be_ours(distribution):
                fix = f"Run: pip install --force-reinstall {name}"
                yield Found(Plugin(name, name, version), Fault(f"its {_FILE} cannot be read", fix))
            continue
        yield from map(_found, entries)


def _found(entry: EntryPoint) -> Found:
    name, version = identity(entry.dist)
    module = entry.value.partition(":")[0].partition(".")[0].strip()
    plugin = Plugin(entry.name, name or module or entry.name, version)
    if not NAME.fullmatch(entry.name):
        # What a plugin stores lies under its name, so no two names may run into each other there.
        return Found(plugin, Fault(f"the plugin name {entry.name[:80]!r} is not allowed", f"Rename it: {NAME_RULE}"))
    return Found(plugin, entry)


def _key(one: Found) -> tuple[str, str, str]:
    value = "" if isinstance(one.entry, Fault) else one.entry.value
    return one.plugin.name, canonical(one.plugin.distribution), value


def identity(distribution: Distribution | None) -> tuple[str, str]:
    """Name (empty if unknown) and version, as the core metadata tell them (PEP 566).

    Only the fields are read: `Distribution.metadata` parses the whole README below them as well.
    """
    try:
        metadata = distribution and (distribution.read_text("METADATA") or distribution.read_text("PKG-INFO"))
    except UnicodeDecodeError:
        metadata = None
    fields = dict(line.partition(": ")[::2] for line in (metadata or "").partition("\n\n")[0].splitlines())
    return fields.get("Name", ""), fields.get("Version", "of unknown version")


def _may_be_ours(distribution: Distribution) -> bool:
    """Whether a damaged list has our group, as far as one can tell."""
    try:
        return f"[{GROUP}]" in (distribution.read_text(_FILE) or "")
    except UnicodeDecodeError:
        return True

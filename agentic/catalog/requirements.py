"""Whether what plugins need is installed, as their metadata tell it; for ``agentic doctor``, for it reads all there is.

Plugins import their libraries at first use, so that one without them loads, and fails only where it is used.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, distributions

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion

from agentic.catalog.catalog import canonical
from agentic.catalog.discovery import identity

Copies = Mapping[str, Sequence[tuple[str, Distribution]]]
"""Name → the version and the metadata of each folder of that distribution, the one that counts first."""


def complaints(names: Iterable[str]) -> Iterator[str]:
    """What these distributions lack, a sentence each with the command that mends it. Reads many files."""
    copies = _installed()
    for name in sorted({canonical(name) for name in names} & copies.keys()):
        yield from _leftovers(name, copies[name])
        version, distribution = copies[name][0]
        python = ", ".join(distribution.metadata.get_all("Requires-Python") or ())
        if not _fits(platform.python_version(), python):
            fix = f"Run: pip install --upgrade {name}, or use another Python"
            yield f"{name} {version} needs Python {python}, and this is {platform.python_version()}. {fix}"
        for needed in _needed(distribution, ""):
            yield from _lacking(name, needed, copies)


def _installed() -> Copies:
    found: dict[str, list[tuple[str, Distribution]]] = {}
    for distribution in distributions():
        name, version = identity(distribution)
        if name:
            found.setdefault(canonical(name), []).append((version, distribution))
    return found


def _leftovers(name: str, copies: Sequence[tuple[str, Distribution]]) -> Iterator[str]:
    """Two folders beside each other; those further back on the path are another environment's."""
    place = copies[0][1].locate_file("")
    versions = sorted({version for version, one in copies if one.locate_file("") == place})
    if len(versions) > 1:
        fix = f"Run: pip install --force-reinstall {name}, and remove the folders of metadata that are left"
        yield f"{name} is installed in several versions, {' and '.join(versions)}, at {place}. {fix}"


def _needed(distribution: Distribution, extra: str) -> Iterator[Requirement]:
    """What a distribution requires here; with ``extra``, what it requires for that alone."""
    for written in distribution.requires or ():
        try:
            needed = Requirement(written)
            is_meant = _is_meant(needed, extra) and not (extra and _is_meant(needed, ""))
        except ValueError:
            # It is none, or its condition is none.
            continue
        if is_meant:
            yield needed


def _is_meant(needed: Requirement, extra: str) -> bool:
    return needed.marker is None or needed.marker.evaluate({"extra": extra})


def _lacking(name: str, needed: Requirement, copies: Copies) -> Iterator[str]:
    extras = f"[{','.join(sorted(needed.extras))}]" if needed.extras else ""
    written = f"{needed.name}{extras}{needed.specifier}"
    found = copies.get(canonical(needed.name))
    if found is None:
        yield f"{name} needs {written}, which is not installed. Run: pip install '{written}'"
        return
    version, distribution = found[0]
    if not _fits(version, str(needed.specifier)):
        yield f"{name} needs {written}, and {version} is installed. Run: pip install '{written}'"
    for extra in sorted(needed.extras):
        for further in _needed(distribution, extra):
            yield from _lacking(name, further, copies)


def _fits(version: str, specifier: str) -> bool:
    """Whether a version is one of those that are meant; what cannot be read is."""
    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True

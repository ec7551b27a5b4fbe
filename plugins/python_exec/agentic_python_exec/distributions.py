"""Which installed distributions programs may import, and which files they have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from agentic import ToolError


@dataclass(frozen=True, slots=True)
class Installed:
    """A distribution: its name and version as installed, and its files as they lie below a site folder."""

    title: str
    files: tuple[tuple[str, Path], ...]


def installed(names: Iterable[str]) -> list[Installed]:
    """The named distributions and all that they require, in name order.

    Raises ToolError for one that is missing, is installed as an editable project, or has no list of its files.
    """
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = _normal(waiting.pop())
        if name not in found:
            found[name] = _distribution(name)
            waiting += _requirements(found[name])
    return [_installed(name, found[name]) for name in sorted(found)]


def _distribution(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise ToolError(
            f"The sandbox needs the distribution {name}, and it is not installed. Run: pip install {name}"
        ) from None


def _requirements(one: Distribution) -> Iterator[str]:
    from packaging.requirements import Requirement

    for line in one.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement.name


def _installed(name: str, one: Distribution) -> Installed:
    if one.files is None:
        raise ToolError(f"{name} has no list of its files. Run: pip install --force-reinstall {name}")
    if json.loads(one.read_text("direct_url.json") or "{}").get("dir_info", {}).get("editable"):
        raise ToolError(f"{name} is installed as an editable project. Install it as a package, or leave it out.")
    files = ((str(entry), Path(str(one.locate_file(entry)))) for entry in one.files if _is_wanted(entry.parts))
    return Installed(f"{name}=={one.version}", tuple(files))


def _is_wanted(parts: tuple[str, ...]) -> bool:
    """Whether a file belongs to the site folder and is of use: no scripts, no tests, no compiled modules."""
    outside = parts[0] in ("..", "/")
    return not (outside or {"tests", "__pycache__"} & set(parts[:-1]) or parts[-1].endswith((".pyi", ".a", ".pyc")))


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name.strip())

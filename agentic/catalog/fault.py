"""Why a plugin is set aside, in words for the operator: a cause and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import EntryPoint

from agentic.catalog.catalog import canonical

_LONGEST = 300


class Fault(Exception):
    """A plugin cannot be used. ``cause`` has no full stop at its end; ``fix`` is a sentence or a command."""

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.fix = fix


def import_fault(entry: EntryPoint, error: BaseException, distribution: str) -> Fault:
    """The fault of a plugin whose module could not be imported."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing_fault(entry, error.name, distribution)
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "agentic":
        # Where a name is taken from says nothing to an operator.
        told = described(error).partition(" (")[0].removeprefix("ImportError: ")
        return Fault(
            f"its import failed with this version of agentic-server: {told}",
            f"Run: pip install --upgrade agentic-server {distribution}",
        )
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{error.filename}, line {error.lineno}"
        return Fault(f"its source has a syntax error ({place})", f"Correct it, or update {distribution}")
    return Fault(f"its import raised {described(error)}", _repair(distribution))


def raised_fault(
    entry: EntryPoint, hook: str, error: BaseException, distribution: str, secrets: Iterable[str] = ()
) -> Fault:
    """The fault of a plugin whose hook raised ``error``; none of ``secrets`` appears in it."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing_fault(entry, error.name, distribution)
    return Fault(f"its hook {hook} raised {described(error, secrets)}", _repair(distribution))


def _missing_fault(entry: EntryPoint, missing: str, distribution: str) -> Fault:
    top = missing.partition(".")[0]
    if top == entry.value.strip().partition(":")[0].partition(".")[0]:
        return Fault(f"its own module {missing!r} is not there", f"Run: pip install --force-reinstall {distribution}")
    if top == "agentic":
        return Fault(
            f"it imports {missing!r}, which this version of agentic-server does not have",
            f"Run: pip install --upgrade agentic-server {distribution}",
        )
    requirement = _requirement(entry, top)
    if requirement is None:
        # A module's name is not a distribution's: whoever registers it would be installed by our advice.
        return Fault(f"no module named {missing!r}", f"Ask the authors of {distribution} what brings it")
    return Fault(f"no module named {missing!r}", f"Run: pip install {requirement}")


def described(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """The error's type and the first line of its message, cut, and without the secrets and passwords in addresses."""
    try:
        text = str(error)
    except Exception as failed:  # noqa: BLE001 - a plugin's own __str__ may raise whatever it likes
        text = f"its message raises {type(failed).__name__}"
    for secret in secrets:
        text = text.replace(secret, "…") if secret else text
    text = re.sub(r"(?<=://)[^/\s@]+@", "…@", text)
    line = next(iter(text.strip().splitlines()), "").rstrip(".")[:_LONGEST]
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def _repair(distribution: str) -> str:
    return f"Run: pip install --upgrade {distribution}, or report it to its authors"


def _requirement(entry: EntryPoint, top: str) -> str | None:
    """What to install for a missing module: the plugin's own requirement where the names agree."""
    try:
        requirements = (entry.dist.requires if entry.dist is not None else None) or ()
    except UnicodeDecodeError:
        return None
    for requirement in requirements:
        found = re.match(r"[A-Za-z0-9._-]+", requirement)
        if found and canonical(found[0]) == canonical(top):
            return found[0]
    return None

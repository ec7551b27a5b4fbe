"""What came of a program. Everything in it was said by a stranger: it is checked here, once, and then believed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentic_python_exec.inside.frames import BadFrame

Reason = Literal["done", "error", "timeout", "cpu", "memory", "disk", "output", "crash", "seccomp", "killed"]
MAX_NAME = 200
MAX_DEPTH = 8
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Request:
    """A program, and the files that it is given by name. ``processes`` limits it and its threads."""

    code: str
    files: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a program ended, what it said, and the files that it made or changed; ``figures`` are PNG.

    ``deleted`` are given files that are gone, ``left_out`` names of files that were too many, too large, or misnamed.
    """

    reason: Reason
    code: int = 0
    seconds: float = 0
    output: str = ""
    errors: str = ""
    changed: tuple[tuple[str, bytes], ...] = ()
    figures: tuple[tuple[str, bytes], ...] = ()
    deleted: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    reason: Reason
    code: int = Field(ge=-256, le=256)
    seconds: float = Field(ge=0, le=10_000)
    stdout: str
    stderr: str
    changed: int = Field(ge=0)
    deleted: list[str] = Field(max_length=1000)
    left_out: list[str] = Field(max_length=1000)


def read_outcome(header: object, files: Sequence[tuple[str, bytes]]) -> Outcome:
    """The outcome that a sandbox reports. Raises BadFrame for a report that is none."""
    try:
        said = _Header.model_validate(header)
    except ValidationError as error:
        raise BadFrame("its report is wrong") from error
    changed, figures = files[: said.changed], files[said.changed :]
    misnamed = [name for name, _ in (*changed, *figures) if not is_file_name(name)]
    return Outcome(
        reason=said.reason,
        code=said.code,
        seconds=said.seconds,
        output=_text(said.stdout),
        errors=_text(said.stderr),
        changed=tuple(file for file in changed if is_file_name(file[0])),
        figures=tuple(file for file in figures if is_file_name(file[0]) and "/" not in file[0]),
        deleted=tuple(name for name in said.deleted if is_file_name(name)),
        left_out=tuple(_UNSAFE.sub("\ufffd", name)[:MAX_NAME] for name in (*said.left_out, *misnamed)),
    )


def is_file_name(name: str) -> bool:
    """Whether a relative name is one that every part of the way can carry: plain parts, no tricks."""
    parts = name.split("/")
    if not name or len(name.encode("utf-8", "replace")) > MAX_NAME or len(parts) > MAX_DEPTH or _UNSAFE.search(name):
        return False
    return all(part and not part.startswith(".") and part == part.strip() for part in parts)


def _text(text: str) -> str:
    """Text that can be written as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")

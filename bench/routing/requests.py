"""The labelled requests: read from two text files, one to develop with and one to test with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentic import Message

FOLDER = Path(__file__).with_name("requests")
Half = Literal["dev", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A request with the agent that should win it, and the tools of which any may come first (none: chat)."""

    text: str
    history: tuple[Message, ...]
    kind: str
    strategy: str
    tools: frozenset[str]


def labelled(half: Half) -> list[Labelled]:
    """All requests of one half, in the file's order."""
    return list(_read((FOLDER / f"{half}.txt").read_text("utf-8")))


def _read(written: str) -> Iterator[Labelled]:
    """``@`` opens a group with its labels; each other line is a request, its turns parted by ``##``."""
    labels: dict[str, str] = {}
    for line in filter(None, written.split("\n")):
        if line.startswith("@ "):
            labels = dict(label.split("=", 1) for label in line[2:].split())
        elif not line.startswith("# "):
            *before, text = (turn.strip().replace("\\n", "\n") for turn in line.split(" ## "))
            yield Labelled(
                text=text,
                history=tuple(Message("assistant" if n % 2 else "user", said) for n, said in enumerate(before)),
                kind=labels["kind"],
                strategy=labels["strategy"],
                tools=frozenset(filter(None, labels.get("tools", "").split("|"))),
            )

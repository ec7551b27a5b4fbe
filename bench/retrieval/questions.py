"""The labelled questions: for each the document and the words in it that answer; and those that nothing answers."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

from bench.retrieval.corpus import Source

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Question:
    """``start`` and ``end``: where the words that answer stand in the document's text."""

    text: str
    document: str
    start: int
    end: int

    @property
    def half(self) -> str:
        """``dev``, by which everything is chosen, or ``test``, which is only ever measured: told by the document."""
        return "dev" if zlib.crc32(self.document.encode()) % 2 else "test"


def questions(documents: list[Source]) -> tuple[list[Question], list[str]]:
    """The questions, and what of the file does not fit the documents at hand."""
    texts = {source.name: source.text for source in documents}
    found: list[Question] = []
    faults: list[str] = []
    document = asked = ""
    for line in (HERE / "questions.txt").read_text("utf-8").splitlines():
        mark, _, rest = line.partition(" ")
        if mark == "##":
            document = rest
        elif mark == "?":
            asked = rest
        elif mark == "=":
            span = _place(texts.get(document, ""), rest)
            if span is None:
                faults.append(f"{document} does not hold “{rest}”")
            else:
                found.append(Question(asked, document, *span))
    return found, faults


def answerless() -> dict[str, list[str]]:
    """Questions without an answer, by kind: ``far`` from everything in the corpus, or ``near``."""
    kinds: dict[str, list[str]] = {}
    kind = ""
    for line in (HERE / "answerless.txt").read_text("utf-8").splitlines():
        if line.startswith("## "):
            kind = line[3:]
        elif line and not line.startswith("#"):
            kinds.setdefault(kind, []).append(line)
    return kinds


def _place(text: str, words: str) -> tuple[int, int] | None:
    """Where the words stand in the text, whatever the spaces between them."""
    import re

    found = re.search(r"\s+".join(map(re.escape, words.split())), text)
    return found.span() if found else None

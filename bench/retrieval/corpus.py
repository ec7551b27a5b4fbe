"""The documents of the bench: prose that Debian packages ship, fetched with apt and taken out of its HTML.

Packages are fetched, not installed. What was taken out is kept under ``.cache/retrieval`` of the repository.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "retrieval"
SHORTEST, LONGEST = 4_000, 60_000
"""Characters of a document that is taken: shorter ones hold little to ask for, longer ones would fill the bench."""


@dataclass(frozen=True, slots=True)
class Section:
    """Text under one heading path, the outermost heading first."""

    heading: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """One document: ``name`` is unique and looks like a file's, ``group`` the set of documents that it came from."""

    name: str
    group: str
    sections: tuple[Section, ...]

    @property
    def text(self) -> str:
        """All text, as an indexer is given it."""
        return "".join(section.text for section in self.sections)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Files of a package that hold prose: ``pattern`` under the package's root, at most ``most`` of them."""

    group: str
    package: str
    pattern: str
    most: int


SHELVES = (
    Shelf("anarchism", "anarchism", "usr/share/doc/anarchism/html/sec*.html", 12),
    Shelf("desktop", "gnome-user-docs", "usr/share/help/C/gnome-help/*.page", 12),
    Shelf("debian-faq", "debian-faq", "usr/share/doc/debian/FAQ/*.html", 8),
    Shelf("security", "harden-doc", "usr/share/doc/harden-doc/html/en-US/*.html", 10),
    Shelf("debian-history", "debian-history", "usr/share/doc/debian-history/docs/*.en.html", 4),
    Shelf("developers", "developers-reference", "usr/share/developers-reference/*.html", 5),
    Shelf("git", "git-doc", "usr/share/doc/git-doc/**/*.html", 10),
    Shelf("python-howto", "python3.11-doc", "usr/share/doc/python3.11/html/howto/*.html", 8),
    Shelf("python-tutorial", "python3.11-doc", "usr/share/doc/python3.11/html/tutorial/*.html", 6),
    Shelf("python-faq", "python3.11-doc", "usr/share/doc/python3.11/html/faq/*.html", 4),
    Shelf("sqlite", "sqlite3-doc", "usr/share/doc/sqlite3/*.html", 12),
    Shelf("engraving", "lilypond-doc-html", "usr/share/doc/lilypond/html/Documentation/essay/*.html", 6),
    Shelf("notation", "lilypond-doc-html", "usr/share/doc/lilypond/html/Documentation/learning/*.html", 6),
    Shelf("panorama", "hugin-data", "usr/share/hugin/xrc/data/help_en_EN/*.html", 10),
    Shelf("solfege", "solfege-doc", "usr/share/doc/solfege/help/C/**/*.html", 4),
    Shelf("money", "homebank-data", "usr/share/doc/homebank-data/help/*.html", 6),
    Shelf("freeciv", "freeciv-data", "usr/share/doc/freeciv-data/*", 3),
)
BLOCKS = {
    *("p", "div", "li", "ul", "ol", "dl", "dt", "dd", "table", "tr", "pre", "blockquote", "section", "br", "hr"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "title", "item", "note", "steps", "list", "media", "page", "info"),
}
SILENT = {"script", "style", "nav", "head", "info", "revision", "credit", "svg"}
VOID = {"link", "meta", "img", "br", "hr", "input"}
LEVELS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "title": 0}
SPACE = re.compile(r"[ \t\r\f\v\xa0\n]+")
GAPS = re.compile(r" *\n(?: *\n)+ *")


class Prose(HTMLParser):
    """HTML (or Mallard, whose titles are headings) to sections of plain text."""

    def __init__(self, mallard: bool = False) -> None:
        super().__init__()
        self.sections: list[Section] = []
        self._mallard = mallard
        self._silent = 0
        self._verbatim = 0
        self._depth = 0
        self._headings: list[tuple[int, str]] = []
        self._parts: list[str] = []
        self._title: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See HTMLParser."""
        if tag in VOID:
            self._parts.append("\n" if tag in ("br", "hr") else "")
            return
        if self._mallard and tag in ("page", "section"):
            self._depth += 1
        self._silent += tag in SILENT
        self._verbatim += tag == "pre"
        if self._is_heading(tag):
            self.flush()
            self._title = []
        elif tag in BLOCKS:
            self._parts.append("\n\n" if tag in ("p", "pre", "li", "table", "dl", "item", "dt") else "\n")
        elif tag in ("td", "th"):
            self._parts.append("  ")

    def handle_endtag(self, tag: str) -> None:
        """See HTMLParser."""
        if tag in VOID:
            return
        if self._mallard and tag in ("page", "section"):
            self._depth -= 1
        self._silent = max(0, self._silent - (tag in SILENT))
        self._verbatim = max(0, self._verbatim - (tag == "pre"))
        if self._is_heading(tag) and self._title is not None:
            text = SPACE.sub(" ", "".join(self._title)).strip(" ¶")
            self._title = None
            level = self._depth if self._mallard else LEVELS[tag]
            self._headings = [one for one in self._headings if one[0] < level] + ([(level, text)] if text else [])
        elif tag in BLOCKS:
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        """See HTMLParser."""
        if self._silent:
            return
        if self._title is not None:
            self._title.append(data)
        else:
            self._parts.append(data if self._verbatim else SPACE.sub(" ", data))

    def flush(self) -> None:
        """Close the section."""
        text = GAPS.sub("\n\n", "".join(self._parts)).strip("\n ")
        self._parts = []
        if len(text) > 1:
            self.sections.append(Section(tuple(title for _, title in self._headings), f"{text}\n\n"))

    def _is_heading(self, tag: str) -> bool:
        return tag in LEVELS and (tag == "title") == self._mallard and not self._silent


def documents(everything: bool = False) -> list[Source]:
    """The corpus, in a fixed order; made at the first call. ``everything``: all that the shelves hold."""
    kept = CACHE / ("everything.json" if everything else "corpus.json")
    if not kept.exists():
        made = [source for shelf in SHELVES for source in _taken(shelf, everything)]
        rows = [[one.name, one.group, [[part.heading, part.text] for part in one.sections]] for one in made]
        kept.write_text(json.dumps(rows), "utf-8")
    rows = json.loads(kept.read_text("utf-8"))
    return [Source(name, group, tuple(Section(tuple(h), t) for h, t in parts)) for name, group, parts in rows]


def _taken(shelf: Shelf, everything: bool) -> Iterator[Source]:
    """Files that are long enough; unless all are wanted, evenly spread over the shelf."""
    root = _unpacked(shelf.package)
    found = [source for path in sorted(root.glob(shelf.pattern)) if (source := _read(path, shelf.group))]
    if everything or len(found) <= shelf.most:
        yield from found
        return
    for number in range(shelf.most):
        yield found[number * len(found) // shelf.most]


def _read(path: Path, group: str) -> Source | None:
    if (
        not path.is_file()
        or path.suffix not in (".html", ".page", "")
        or path.name.lower().startswith(("index", "copying"))
    ):
        return None
    content = path.read_text("utf-8", "replace")
    if path.suffix:
        parser = Prose(path.suffix == ".page")
        parser.feed(content)
        parser.close()
        parser.flush()
        sections = tuple(parser.sections)
    else:
        sections = (Section((), content),)
    source = Source(f"{group}-{path.stem}{path.suffix or '.txt'}", group, sections)
    return source if SHORTEST <= len(source.text) <= LONGEST else None


def _unpacked(package: str) -> Path:
    root = CACHE / package
    if not root.exists():
        debs = CACHE / "debs"
        debs.mkdir(parents=True, exist_ok=True)
        if not list(debs.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "download", package], cwd=debs, check=True)
        subprocess.run(["dpkg-deb", "-x", next(debs.glob(f"{package}_*.deb")), root], check=True)
    return root

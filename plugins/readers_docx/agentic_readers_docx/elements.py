"""The elements of WordprocessingML, and the text in them, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"

_WRAPPERS = frozenset(f"{_W}{name}" for name in ("sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag"))
"""Elements around blocks, rows and cells: content controls, and what was inserted while changes are tracked."""

_UNREAD = frozenset(
    f"{_W}{name}"
    for name in ("pPr", "rPr", "del", "moveFrom", "instrText", "delText", "delInstrText", "sdtPr", "rt", "object")
)
_SHOWN = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


@dataclass(slots=True)
class Found:
    """What a paragraph holds: its text, the boxes that hang on it, and the notes it refers to."""

    text: str = ""
    boxes: list[Any] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


def w(name: str) -> str:
    """The full name of an element or attribute of WordprocessingML."""
    return f"{_W}{name}"


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _inner(parent: Any, wanted: frozenset[str]) -> Iterator[Any]:
    """The wanted elements among the children of an element, and within wrappers there."""
    for child in parent:
        if child.tag in wanted:
            yield child
        elif child.tag in _WRAPPERS:
            yield from _inner(child, wanted)
        elif child.tag == f"{_MC}AlternateContent" and len(child):
            yield from _inner(child[0], wanted)


def blocks(parent: Any) -> Iterator[tuple[str, Any]]:
    """The paragraphs (``p``) and tables (``tbl``) of a body, a cell or a box, in order."""
    for element in _inner(parent, frozenset((w("p"), w("tbl")))):
        yield _local(element), element


def rows(table: Any) -> Iterator[Any]:
    """The rows of a table that are not deleted."""
    for row in _inner(table, frozenset((w("tr"),))):
        if row.find(f"{w('trPr')}/{w('del')}") is None:
            yield row


def cells(row: Any) -> Iterator[Any]:
    """The cells of a row; one that is merged over several columns is one."""
    return _inner(row, frozenset((w("tc"),)))


def holds_table(table: Any) -> bool:
    """Whether there is another table within a table."""
    return next(table.iterdescendants(w("tbl")), None) is not None


def text_of(paragraph: Any) -> Found:
    """The text of a paragraph as it is printed, with changes accepted and fields as they were last shown."""
    found, parts = Found(), []
    waiting = list(reversed(paragraph))
    while waiting:
        element = waiting.pop()
        if not isinstance(element.tag, str) or element.tag in _UNREAD:
            continue
        name = _local(element)
        if name == "r" and _is_hidden(element):
            continue
        if name == "t":
            parts.append(element.text or "")
        elif name in _SHOWN:
            parts.append(_SHOWN[name])
        elif name == "txbxContent":
            found.boxes.append(element)
        elif name in ("footnoteReference", "endnoteReference"):
            found.notes.append((f"{name[:-9]}s", element.get(w("id"), "")))
        elif element.tag == f"{_MC}AlternateContent":
            waiting.extend(element[:1])
        else:
            waiting.extend(reversed(element))
    found.text = "".join(parts)
    return found


def _is_hidden(run: Any) -> bool:
    """Whether a run is formatted as hidden text, which nobody sees on the page."""
    mark = run.find(f"{w('rPr')}/{w('vanish')}")
    return mark is not None and mark.get(w("val"), "true") not in ("0", "false", "off")


def notes(part: Any) -> Mapping[tuple[str, str], str]:
    """The text of each footnote and endnote, by its kind and id."""
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml import parse_xml

    found: dict[tuple[str, str], str] = {}
    kinds = {RELATIONSHIP_TYPE.FOOTNOTES: "footnotes", RELATIONSHIP_TYPE.ENDNOTES: "endnotes"}
    for relation in part.rels.values():
        kind = kinds.get(relation.reltype)
        if kind is None or relation.is_external:
            continue
        for note in parse_xml(relation.target_part.blob):
            words = " ".join(text_of(block).text for name, block in blocks(note) if name == "p")
            found[kind, note.get(w("id"), "")] = " ".join(words.split())
    return found

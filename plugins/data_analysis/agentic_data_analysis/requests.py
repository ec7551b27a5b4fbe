"""Plain requests with data in them to arguments, by rule: a JSON or CSV block and words that ask for its figures.

Rules lean to silence: programs, configuration, conditions ("only where …") and columns that are not there are left to
the model.
"""

from __future__ import annotations

import re

from agentic import Json
from agentic_data_analysis import request_columns
from agentic_data_analysis.operations import NUMERIC, Operation
from agentic_data_analysis.request_data import Block, block_in
from agentic_data_analysis.request_words import ASKED, GROUPED, MEANING, OTHER_WISHES, PERCENTILE, TOP, WHICH

MAX_REQUEST = 200_000
_MAX_WORDS = 400
_SEVERAL = NUMERIC - {"correlation", "quantiles"}
_FOLDED = re.compile(r"\b(?:total|average|mean|sum|median)\b", re.I)


def arguments_in(text: str) -> Json | None:
    """The arguments that a request asks for with data of its own, or None."""
    if len(text) > MAX_REQUEST or not any(sign in text for sign in "[{\n"):
        return None
    block = block_in(text)
    if block is None or block.figures < 2 or _wants_something_else(block.words):
        return None
    group_by = _groups(block)
    if group_by is None:
        return None
    named = request_columns.named(block.words, block.names)
    operation = _operation(request_columns.without(block.words, named), bool(group_by))
    if operation is None:
        return None
    columns = _columns(block, operation, named, group_by)
    if columns is None or request_columns.names_a_value(block.words, block.names, block.data):
        return None
    arguments: Json = {"data": block.data, "operation": operation}
    if columns:
        arguments["columns"] = columns
    if group_by:
        arguments["group_by"] = group_by
    if operation == "quantiles" and (asked := PERCENTILE.findall(block.words)):
        arguments["quantiles"] = [float(number or short) / 100 for number, short in asked]
    if top := TOP.search(block.words):
        arguments["n"] = max(int(top[1]), 1)
    return arguments


def _wants_something_else(words: str) -> bool:
    return len(words) > _MAX_WORDS or bool(OTHER_WISHES.search(words) or MEANING.search(words))


def _operation(words: str, grouped: bool) -> Operation | None:
    """The one operation asked for; the summary for several that it holds; None for none, and for other mixtures."""
    asked = [operation for operation, pattern in ASKED if pattern.search(words)]
    figures = [operation for operation in asked if operation != "summary"]
    if grouped and len(figures) == 2 and figures[1] in ("min", "max"):
        # "Which region has the highest total": groups are listed with the largest first.
        figures = figures[:1] if figures[1] == "max" else []
    if not figures:
        return "summary" if "summary" in asked else None
    if len(figures) > 1:
        return "summary" if set(figures) <= _SEVERAL else None
    return None if figures[0] == "correlation" and grouped else figures[0]


def _columns(block: Block, operation: Operation, named: list[str], group_by: list[str]) -> list[str] | None:
    """The columns to take, empty for all; None where the request and the data do not clearly fit together."""
    columns = [name for name in named if name not in group_by]
    if block.flat:
        # One object, perhaps a configuration: only a question about all of its figures.
        keys_alike = not columns and block.numeric == set(block.names) and operation in _SEVERAL
        return [] if keys_alike and request_columns.is_plain(block.words) else None
    if operation in ("missing", "summary"):
        return columns
    if operation == "value_counts":
        return columns or None
    if operation == "count":
        return None if any(name in block.numeric for name in columns) else []
    figures = [name for name in columns if name in block.numeric]
    if operation == "correlation" and len(figures) == 1:
        return None
    if figures or not block.names:
        return figures
    rest = request_columns.without(block.words, [*columns, *group_by])
    return [] if request_columns.is_plain(rest) else None


def _groups(block: Block) -> list[str] | None:
    """The columns after ``by``, ``per`` and the like; None where something is grouped by that is no column."""
    found: list[str] = []
    for match in GROUPED.finditer(block.words):
        name = request_columns.leading(block.words[match.end() :], block.names)
        if name is None:
            return None
        found.append(name)
    which = WHICH.search(block.words)
    if which and not found and _FOLDED.search(block.words):
        subject = request_columns.leading(block.words[which.end() :], block.names)
        if subject is not None and subject not in block.numeric:
            found.append(subject)
    return list(dict.fromkeys(found))

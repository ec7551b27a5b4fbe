"""A statement's words, before it is parsed: what a reader of the text cannot see, or two readers see differently.

The statement goes to the database as it was written. So nothing may stand in it that the parser here and the
database's own could cut into words differently: comments (MySQL runs some of them), ``$`` quotes, escapes
in E'' and U&''.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence
from typing import Any

import sqlglot
from sqlglot import Token, TokenType
from sqlglot.errors import SqlglotError

from agentic import ToolRetry
from agentic_sql.functions import REFUSED, REFUSED_BEGINNINGS

LONGEST = 20_000
"""Characters of one statement at most."""

READS_ONLY = "Write one SELECT statement; this tool only reads."

# What it cannot parse it logs, word for word.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL + 1)

_QUOTED = frozenset(
    getattr(TokenType, name)
    for name in (
        "STRING", "IDENTIFIER", "BYTE_STRING", "NATIONAL_STRING", "RAW_STRING", "UNICODE_STRING", "HEX_STRING",
        "BIT_STRING",
    )
)  # fmt: skip
_FIRST = frozenset((TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.L_PAREN))


def words_of(query: str, dialect: str) -> list[Token]:
    """The statement's words, without a semicolon at its end.

    Raises ToolRetry for what is no single SELECT-like statement by its words, and for what hides something.
    """
    if len(query) > LONGEST:
        raise ToolRetry(f"The statement is longer than {LONGEST:,} characters.")
    if "\x00" in query or any(unicodedata.category(character) == "Cs" for character in query):
        raise ToolRetry("The statement holds a character that no database reads.")
    try:
        words = sqlglot.tokenize(query, read=dialect)
    except (SqlglotError, RecursionError, ValueError):
        raise ToolRetry("This cannot be read as SQL: a quote or a bracket is not closed.") from None
    while words and words[-1].token_type == TokenType.SEMICOLON:
        words.pop()
    if not words:
        raise ToolRetry(f"There is no statement. {READS_ONLY}")
    first = words[0].token_type
    if first not in (*_FIRST, TokenType.SEMICOLON):
        # First of all: of a statement that it does not know the parser gives one word, and the rest looks like a gap.
        raise ToolRetry(f"Statements that begin with {words[0].text[:20].upper()} are refused. {READS_ONLY}")
    _check_gaps(query, words)
    if any(word.token_type == TokenType.SEMICOLON for word in words):
        raise ToolRetry(f"There is more than one statement. {READS_ONLY}")
    for word, after in zip(words, [*words[1:], None], strict=True):
        _check_word(query, word, after, dialect)
    return words


def _check_gaps(query: str, words: Sequence[Token]) -> None:
    """Between words there may be blanks and ends of lines alone; a comment is no word, and so shows here."""
    end = 0
    for word in words:
        _check_gap(query[end : word.start])
        end = word.end + 1
    _check_gap(query[end:].replace(";", " "))


def _check_gap(gap: str) -> None:
    if gap.strip(" \t\r\n"):
        raise ToolRetry("Leave out comments and invisible characters, also where -- stands between two numbers.")


def _check_word(query: str, word: Token, after: Token | None, dialect: str) -> None:
    written = query[word.start : word.end + 1]
    if word.token_type in _QUOTED:
        _check_quoted(written, word, dialect)
    elif "$" in written:
        raise ToolRetry("Write texts in single quotes, and no $ outside of them.")
    elif any(not (one.isascii() or one.isalnum()) or (one < " " and one not in "\t\r\n") for one in written):
        raise ToolRetry("Leave out comments and invisible characters, and write unusual names in quotes.")
    if word.token_type == TokenType.INTO:
        raise ToolRetry(f"INTO writes. {READS_ONLY}")
    if after is not None and written == query[after.start : after.end + 1] == "-" and after.start == word.end + 1:
        raise ToolRetry("Leave out comments, also where -- stands between two numbers.")
    if after is not None and after.token_type == TokenType.L_PAREN and word.token_type != TokenType.STRING:
        check_function_name(word.text)


def _check_quoted(written: str, word: Token, dialect: str) -> None:
    escapes = written[:1] in "eE" and "\\" in written
    if dialect == "postgres" and (escapes or word.token_type == TokenType.UNICODE_STRING):
        raise ToolRetry("Write texts in plain single quotes, without escapes, or give them as params.")


def check_function_name(name: Any) -> None:
    """Raise ToolRetry if the function is known to do more than compute."""
    plain = str(name).lower()
    if plain in REFUSED or plain.startswith(REFUSED_BEGINNINGS):
        raise ToolRetry(f"The function {plain[:60]} is refused: it does more than compute from what it is given.")

"""The process that takes a page apart: ``python -m agentic_web_search.extraction SECONDS MEGABYTES``.

It reads a JSON line (``kind``, ``url``, ``media_type``, ``charset``, ``start``, ``most``) and then the page's bytes. It
answers with one JSON object: ``text``, ``title``, ``date`` and ``more``, or ``error``.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
from collections.abc import Iterable
from typing import Any

_SAMPLE = 200_000
_HEAD = 5000
_NO_TEXT = "The page has no text; it may be made of pictures, or come to life in a browser only."


class NoText(Exception):
    """There is nothing to be read; the message tells why."""


def main() -> None:
    """Answer one request."""
    seconds, megabytes = float(sys.argv[1]), int(sys.argv[2])
    _limit(seconds, megabytes)
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever a library prints goes nowhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    asked = json.loads(sys.stdin.buffer.readline())
    answers.write(json.dumps(answer(asked, sys.stdin.buffer.read())).encode())
    answers.flush()


def answer(asked: dict[str, Any], data: bytes) -> dict[str, Any]:
    """The part of the text that was asked for, or why there is none."""
    try:
        if asked["kind"] == "pdf":
            title, date, text = _pdf(data, asked["start"] + asked["most"] + 1)
        else:
            page = decoded(data, asked["media_type"], asked["charset"])
            title, date, text = _html(page, asked["url"]) if asked["kind"] == "html" else ("", "", page)
        return _part(title, date, text, asked["start"], asked["most"])
    except NoText as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "The page needs more memory to be read than it may use."}
    except RecursionError:
        return {"error": "The page is nested too deeply to be read."}
    except Exception as error:  # noqa: BLE001 - parsers raise every kind for broken pages; the caller reads which
        return {"error": f"The page cannot be read; it may be broken ({type(error).__name__})."}


def decoded(data: bytes, media_type: str, charset: str) -> str:
    """The page as text: by its byte order mark, the header, its own declaration, or as its bytes look."""
    from w3lib.encoding import html_to_unicode

    header = f"{media_type or 'text/html'}; charset={charset}" if charset else None
    try:
        return html_to_unicode(header, data, auto_detect_fun=_guessed)[1]
    except (LookupError, UnicodeError):
        # Python knows codecs, such as zip and idna, that are no encodings of pages.
        return data.decode("utf-8", "replace")


def _guessed(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes

        best = from_bytes(data[:_SAMPLE]).best()
        return best.encoding if best else "windows-1252"
    return "utf-8"


def _html(page: str, url: str) -> tuple[str, str, str]:
    import trafilatura

    if "<html" not in page[:_HEAD].lower():
        # What begins with its first paragraph is legal, and common; trafilatura wants whole documents.
        page = f"<!doctype html><html><body>{page}"
    tree = trafilatura.load_html(page)
    if tree is None:
        # The parser gives up silently where its memory ends, too.
        raise NoText("The page cannot be taken apart: it is no proper HTML, or too large.")
    about = trafilatura.extract_metadata(tree, default_url=url)
    text = trafilatura.extract(page, url=url, output_format="markdown", include_comments=False, include_tables=True)
    text = text or trafilatura.html2txt(page)
    return (about.title or "", about.date or "", text) if about else ("", "", text)


def _pdf(data: bytes, enough: int) -> tuple[str, str, str]:
    """The pages' texts, read until there are ``enough`` characters."""
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise NoText("The PDF is protected by a password.")
    about = reader.metadata
    title = str(about.title or "") if about else ""
    date = f"{about.creation_date:%Y-%m-%d}" if about and about.creation_date else ""
    return title, date, _joined((page.extract_text() for page in reader.pages), enough)


def _joined(texts: Iterable[str], enough: int) -> str:
    parts: list[str] = []
    size = 0
    for text in texts:
        parts.append(text.strip())
        size += len(parts[-1]) + 2
        if size > enough:
            break
    return "\n\n".join(part for part in parts if part)


def _part(title: str, date: str, text: str, start: int, most: int) -> dict[str, Any]:
    # Neither may travel on: they are no text, and some clients fall over them.
    whole = text.replace("\0", "").encode("utf-8", "replace").decode().strip()
    if not whole:
        raise NoText(_NO_TEXT)
    if start >= len(whole):
        raise NoText(f"The page has only {len(whole):,} characters.")
    title = " ".join(title.replace("\0", "").encode("utf-8", "replace").decode().split())[:300]
    return {"title": title, "date": date, "text": whole[start : start + most], "more": len(whole) > start + most}


def _limit(seconds: float, megabytes: int) -> None:
    """Bound time and address space from within, where the system can; the caller ends the process in any case."""
    if sys.platform == "win32":
        return
    import resource

    signal.setitimer(signal.ITIMER_REAL, seconds + 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = megabytes * 1024 * 1024
    # macOS refuses a limit below what is mapped already.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))


if __name__ == "__main__":
    main()

"""The tool ``read_page``: fetches a page with the kernel's guarded client, and gives its main text."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agentic import Citation, Fetched, Json, Tool, ToolContext, ToolError, ToolResult, ToolRetry, Traits
from agentic_web_search.examples import READ
from agentic_web_search.extractor import Extractor
from agentic_web_search.kinds import kind_of
from agentic_web_search.settings import LONGEST_ADDRESS, Settings

_ACCEPT = "text/html, application/xhtml+xml, application/pdf;q=0.9, text/*;q=0.8, */*;q=0.5"
_LEAST_S = 5.0
_MARGIN_S = 10.0


class Arguments(BaseModel):
    """What the model fills in."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(description="the page's whole address, with https://", max_length=LONGEST_ADDRESS)
    start: int = Field(0, description="character to begin at, to read on in a long page", ge=0, le=100_000_000)


class ReadPageTool(Tool):
    """Reads web pages, PDF and text files; each is taken apart in a process that is ended when it takes too long."""

    name = "read_page"
    description = (
        "Read one web page, PDF or text file by its address: gives its main text as Markdown, with its title and date. "
        "For when an address is given, or was found by web_search. Long pages come in parts."
    )
    args = Arguments

    def __init__(self, settings: Settings) -> None:
        self._timeout_s = settings.read_page_timeout
        self._max_bytes = int(settings.read_page_max_mb * 1_000_000)
        self._most = settings.read_page_max_characters
        self._extractor = Extractor(settings.read_page_memory_mb)
        seconds = settings.read_page_timeout + _MARGIN_S
        self.traits = Traits(untrusted=True, timeout_s=seconds, examples=READ)

    def suggest(self, text: str) -> Json | None:
        """The address in a request to read or summarise exactly one, else None."""
        from agentic_web_search.requests import address_in

        address = address_in(text)
        return None if address is None else {"url": address}

    async def run(self, args: Any, ctx: ToolContext) -> ToolResult:
        """The page's text from ``start`` on, cited.

        Raises ToolRetry for what is no address, ToolError for a page that is not there, not public or not readable.
        """
        began = time.monotonic()
        fetched = await ctx.space.http.get(
            _address(args.url), headers={"Accept": _ACCEPT}, timeout_s=self._timeout_s, max_bytes=self._max_bytes
        )
        _must_be_there(fetched)
        kind = kind_of(fetched)
        if kind is None:
            raise ToolError(f"This is no page with text, but {fetched.media_type or 'data of an unknown kind'}.")
        left = max(self._timeout_s - (time.monotonic() - began), _LEAST_S)
        read = await self._extractor.read(fetched, kind, start=args.start, most=self._most, seconds=left)
        title = read.title or fetched.url
        head = "\n".join(line for line in (read.title, fetched.url, read.date and f"Published: {read.date}") if line)
        more = f"\n\n[The page goes on: read it with start={args.start + self._most}.]" if read.more else ""
        return ToolResult(f"{head}\n\n{read.text}{more}", (Citation(fetched.url, title),))


def _address(written: str) -> str:
    """The address as models mean it: without brackets or quotes around it, and https where no scheme is named."""
    url = written.strip().strip("<>\"'`").strip()
    if not url or " " in url:
        raise ToolRetry("This is no address. Give one such as https://example.org/page.")
    return url if "://" in url or url.startswith("//") else f"https://{url}"


def _must_be_there(fetched: Fetched) -> None:
    status = fetched.status
    if status >= 400:
        known = {one.value: one.phrase for one in HTTPStatus}
        hint = " It wants a login, or turns programs away." if status in (401, 403, 429) else ""
        raise ToolError(f"The page answers with status {status} {known.get(status, '')}".strip() + f".{hint}")
    if status >= 300 or not fetched.data.strip():
        raise ToolError("The page is empty.")

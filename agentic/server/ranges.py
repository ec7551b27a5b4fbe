"""Kept files over HTTP: whole, or the part that a client asks for, as players, viewers and cut downloads do (RFC 9110).

What is served never changes under its address, so its tag is made of that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from agentic.errors import BadRequest
from agentic.server.errors import error_response

_RANGE = re.compile(r"bytes=\s*(?:(?P<first>\d{1,18})-(?P<last>\d{0,18})|-(?P<suffix>\d{1,18}))\s*", re.IGNORECASE)


async def kept_file(
    request: Request, open_at: Callable[[int], AsyncIterator[bytes]], size: int, headers: Mapping[str, str]
) -> Response:
    """The file of ``size`` bytes that ``open_at`` reads from a position on; ``headers`` say what it is.

    206 with the part that Range names, 416 where it begins beyond the end, 304 for a client that has the file. Several
    parts at once, and units other than bytes, are answered with the whole file. Raises what ``open_at`` raises at its
    first step.
    """
    tag = f'"{hashlib.sha256(f"{request.url.path} {size}".encode()).hexdigest()[:32]}"'
    told = {**headers, "Accept-Ranges": "bytes", "ETag": tag, "Cache-Control": "private"}
    if not {tag, "*"}.isdisjoint(_tags(request.headers.get("if-none-match", ""))):
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": "private"})
    begin, end = 0, size
    if (asked := _asked(request, tag)) is not None:
        begin, end = _part(asked, size)
        if begin >= end:
            return _beyond(size)
        told["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    told["Content-Length"] = str(end - begin)
    pieces = _cut(open_at(begin), end - begin)
    # The first piece tells whether the file is there, while there is still a status to choose.
    first = await anext(pieces, b"")
    status = 200 if asked is None else 206
    if request.method == "HEAD":
        await pieces.aclose()
        return Response(status_code=status, headers=told)
    return StreamingResponse(_from(first, pieces), status, told)


def _asked(request: Request, tag: str) -> re.Match[str] | None:
    """The part that is asked for; None for the whole file, also where it is not the one that the client has begun."""
    if request.method != "GET" or request.headers.get("if-range", tag).strip() != tag:
        return None
    found = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if found is not None and found["last"] and int(found["last"]) < int(found["first"]):
        return None
    return found


def _part(asked: re.Match[str], size: int) -> tuple[int, int]:
    """Where the part begins, and the byte after its end."""
    if asked["suffix"]:
        return max(0, size - int(asked["suffix"])), size
    last = int(asked["last"]) if asked["last"] else size - 1
    return int(asked["first"]), min(last + 1, size)


def _beyond(size: int) -> Response:
    error = BadRequest(f"The file has {size} bytes: none of them are in the range that is asked for.", param="Range")
    error.status = 416
    error.code = "range_not_satisfiable"
    response = error_response(error)
    response.headers.update({"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    return response


def _tags(text: str) -> list[str]:
    """The tags of If-None-Match, for which a weak one is as good."""
    return [one.strip().removeprefix("W/") for one in text.split(",")]


async def _cut(pieces: AsyncIterator[bytes], length: int) -> AsyncGenerator[bytes, None]:
    """The first ``length`` bytes; the rest is not read."""
    try:
        while length > 0 and (piece := await anext(pieces, b"")):
            yield piece[:length]
            length -= len(piece)
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


async def _from(first: bytes, pieces: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(pieces):
        yield first
        async for piece in pieces:
            yield piece

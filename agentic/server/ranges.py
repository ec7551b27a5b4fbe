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

_RANGE = re.compile(r"bytes=\s*(?:(?P<first>\d{1,99})-(?P<last>\d{0,99})|-(?P<suffix>\d{1,99}))\s*", re.IGNORECASE)


async def kept_file(
    request: Request, open_at: Callable[[int], AsyncIterator[bytes]], size: int, headers: Mapping[str, str]
) -> Response:
    """The file of ``size`` bytes that ``open_at`` reads from a position on; ``headers`` say what it is.

    206 with the part that Range names, 416 where it begins beyond the end, 304 for a client that has the file, 412 for
    one that wants another (If-Match). Several parts at once, and units other than bytes, are answered with the whole
    file. Raises what ``open_at`` raises at its first step, whatever the client has.
    """
    tag = f'"{hashlib.sha256(f"{request.url.path} {size}".encode()).hexdigest()[:32]}"'
    told = {**headers, "Accept-Ranges": "bytes", "ETag": tag, "Cache-Control": "private"}
    begin, end = 0, size
    if (asked := _asked(request, tag, size)) is not None:
        begin, end = _part(asked, size)
    is_beyond = asked is not None and begin >= end
    pieces = _cut(open_at(0 if is_beyond else begin), size if is_beyond else end - begin)
    # The first piece tells whether the file is there, while there is still a status to choose.
    first = await anext(pieces, b"")
    if (refusal := _unwanted(request, tag)) is None and is_beyond:
        refusal = _beyond(size)
    if refusal is not None:
        await pieces.aclose()
        return refusal
    if asked is not None:
        told["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    told["Content-Length"] = str(end - begin)
    status = 200 if asked is None else 206
    if request.method == "HEAD":
        await pieces.aclose()
        return Response(status_code=status, headers=told)
    return StreamingResponse(_from(first, pieces), status, told)


def _unwanted(request: Request, tag: str) -> Response | None:
    """The answer to a client that has the file, or wants another; None for one that is to get it."""
    wanted, known = (_tags(request, name) for name in ("if-match", "if-none-match"))
    # A weak tag is as good for what a client has, and not for what it wants.
    if wanted and {tag, "*"}.isdisjoint(wanted):
        error = BadRequest("The file is not the one that If-Match names.", param="If-Match")
        error.status = 412
        error.code = "precondition_failed"
        return error_response(error)
    if not {tag, "*"}.isdisjoint(one.removeprefix("W/") for one in known):
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": "private"})
    return None


def _asked(request: Request, tag: str, size: int) -> re.Match[str] | None:
    """The part that is asked for; None for the whole file, also where it is not the one that the client has begun."""
    if request.method != "GET" or request.headers.get("if-range", tag).strip() != tag:
        return None
    found = _RANGE.fullmatch(",".join(request.headers.getlist("range")).strip())
    if found is not None and found["last"] and int(found["last"]) < int(found["first"]):
        return None
    # The end of an empty file is all of it: there is no place to name, and nothing that could not be given.
    return None if found is not None and not size and int(found["suffix"] or 0) else found


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


def _tags(request: Request, name: str) -> list[str]:
    """The tags in a header, which may come several times."""
    return [one.strip() for line in request.headers.getlist(name) for one in line.split(",")]


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

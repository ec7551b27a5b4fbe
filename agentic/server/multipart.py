"""The one file of an upload, in pieces as they come: of a form of any size no more than a piece is held in memory."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from agentic.errors import BadRequest

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "file"
_EXTENDED = re.compile(rb";\s*filename\*\s*=\s*\"?utf-8'[^']*'([^\s;\"]+)", re.I)
"""A name as RFC 5987 writes it. Some clients send it alone, or beside one that is written as in mails (.NET)."""


class Form:
    """A form with a file in the field ``file``. ``content_type`` is the request's header, ``body`` its body."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise BadRequest("Send the file as multipart/form-data with a boundary, in the field 'file'.", param=FIELD)
        self.name = ""
        self._body = body
        self._parts = _Parts()
        try:
            self._parser = MultipartParser(boundary, self._parts.callbacks())
        except FormParserError as error:
            raise _malformed() from error

    async def begin(self) -> None:
        """Read up to the file, whose ``name`` is known then. Raises BadRequest where none comes."""
        while not self._parts.names:
            if not await self._more():
                raise BadRequest("The form has no file in the field 'file'.", param=FIELD)
        self.name = self._parts.names[0]

    async def file(self) -> AsyncIterator[bytes]:
        """The file's bytes; when they end, the whole form was well. Raises BadRequest for one that is not."""
        while True:
            if pieces := self._parts.take():
                yield pieces
            if not await self._more():
                break
        if len(self._parts.names) > 1:
            raise BadRequest("The form has more than one file. Send one in each request.", param=FIELD)

    async def _more(self) -> bool:
        """Take in the next piece of the body; False at its end."""
        piece = await anext(self._body, None)
        if piece is None:
            if not self._parts.is_whole:
                raise _malformed()
            return False
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _malformed() from error
        return True


class _Parts:
    """What the parser has found so far: the names of files, and bytes of the first one."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.is_whole = False
        self._pieces: list[bytes] = []
        self._is_file = False
        self._field = b""
        self._value = b""
        self._disposition = b""

    def take(self) -> bytes:
        """The file's bytes that have come since this was last asked."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    def callbacks(self) -> MultipartCallbacks:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_field,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._add_data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._is_file, self._field, self._value, self._disposition = False, b"", b"", b""

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field, self._value = b"", b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        extended = _EXTENDED.search(self._disposition)
        filename = unquote_to_bytes(extended[1]) if extended else options.get(b"filename")
        if options.get(b"name") == FIELD.encode() and filename is not None:
            # What names a file is what the client says, in UTF-8 as browsers send it.
            self.names.append(filename.decode("utf-8", "replace"))
            self._is_file = len(self.names) == 1

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._pieces.append(data[start:end])

    def _end(self) -> None:
        self.is_whole = True


def _malformed() -> BadRequest:
    return BadRequest("The form is malformed, or ends too early: it is no whole multipart/form-data.", param=FIELD)

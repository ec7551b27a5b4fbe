"""Server-sent events out of bytes as they come, by the rules of the HTML standard."""

from __future__ import annotations

from typing import NamedTuple

from agentic import ModelError

_LONGEST = 16 * 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event; ``kind`` is empty where the stream names none."""

    kind: bytes
    data: bytes


class EventReader:
    """Reads one stream. Lines end in LF, CRLF or CR and nothing else; an event that the stream's end cuts is dropped.

    A field ``error``, which llama.cpp once wrote in the place of ``data``, is an event of that kind.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._is_first = True
        self._kind = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete. Raises ModelError for one that is larger than 16 MB."""
        events: list[Event] = []
        for line in self._lines(data):
            if line:
                self._field(line)
            elif self._data:
                events.append(Event(self._kind, b"\n".join(self._data)))
                self._kind, self._data, self._size = b"", [], 0
            else:
                self._kind = b""
        if len(self._rest) + self._size > _LONGEST:
            raise ModelError("The model server sent an event of more than 16 MB")
        return events

    def _lines(self, data: bytes) -> list[bytes]:
        data = self._rest + data
        # A CR at the end may be the first half of a CRLF.
        held = b"\r" if data.endswith(b"\r") else b""
        if b"\r" in data:
            data = data[: len(data) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = data.split(b"\n")
        self._rest = rest + held
        if lines and self._is_first:
            self._is_first = False
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        return lines

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            self._kind = value
        elif name in (b"data", b"error"):
            self._kind = name if name == b"error" else self._kind
            self._data.append(value)
            self._size += len(value)

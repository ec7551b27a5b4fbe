"""Events out of bytes, however they are cut."""

from __future__ import annotations

import pytest

from agentic import ModelError
from agentic_openai_upstream.sse import Event, EventReader


def read(stream: bytes, size: int) -> list[Event]:
    reader = EventReader()
    return [event for start in range(0, len(stream), size) for event in reader.feed(stream[start : start + size])]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: one\n\ndata: two\n\n", [(b"", b"one"), (b"", b"two")]),
        (b"data:one\r\n\r\ndata: two\r\n\r\n", [(b"", b"one"), (b"", b"two")]),
        (b"data: one\r\rdata: two\r\rx", [(b"", b"one"), (b"", b"two")]),
        (b"\xef\xbb\xbfdata: one\n\n", [(b"", b"one")]),
        (b"data: a\ndata: b\n\n", [(b"", b"a\nb")]),
        (b"data:  a\n\n", [(b"", b" a")]),
        (b"data\n\n", [(b"", b"")]),
        (b": ping\n\n: ping\ndata: one\n: ping\n\n", [(b"", b"one")]),
        (b"event: error\ndata: one\n\ndata: two\n\n", [(b"error", b"one"), (b"", b"two")]),
        (b"event: ping\n\ndata: two\n\n", [(b"", b"two")]),
        (b"id: 7\nretry: 10\nother: x\ndata: one\n\n", [(b"", b"one")]),
        (b"error: {}\n\n", [(b"error", b"{}")]),
        (b"data: one", []),
        (b"data: one\n", []),
        (b"\n\n\n", []),
        ("data: \u2028\u2029\u0085é\n\n".encode(), [(b"", "\u2028\u2029\u0085é".encode())]),
        (b"data: \x0b\x0c\x1c\n\n", [(b"", b"\x0b\x0c\x1c")]),
    ],
)
def test_streams_are_read_by_the_standard_wherever_they_are_cut(
    stream: bytes, events: list[tuple[bytes, bytes]], size: int
) -> None:
    assert read(stream, size) == events


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 1000, b"data: x\n" * 20])
def test_events_without_an_end_are_refused(stream: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentic_openai_upstream.sse._LONGEST", 15)
    with pytest.raises(ModelError, match="more than 16 MB"):
        read(stream, 8)

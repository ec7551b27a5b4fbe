"""How the server and the sandbox speak: frames of one JSON header and the files that it lists, every length checked."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import IO, Any

MAX_HEADER = 4 * 1024 * 1024
_LENGTH = struct.Struct(">I")


class BadFrame(Exception):
    """The other side sent what is no frame, or one beyond the limits."""


def write_frame(stream: IO[bytes], header: Mapping[str, Any], files: Sequence[tuple[str, bytes]] = ()) -> None:
    """Send a frame: ``header``, and files as name and content. Raises OSError when nobody reads."""
    listed = {**header, "files": [[name, len(content)] for name, content in files]}
    encoded = json.dumps(listed).encode()
    stream.write(_LENGTH.pack(len(encoded)) + encoded)
    for _, content in files:
        stream.write(content)
    stream.flush()


def read_frame(
    stream: IO[bytes], *, max_files: int, max_bytes: int
) -> tuple[dict[str, Any], list[tuple[str, bytes]]] | None:
    """The next frame; None at the stream's end. Raises BadFrame for anything else than a frame within the limits."""
    prefix = stream.read(_LENGTH.size)
    if not prefix:
        return None
    if len(prefix) < _LENGTH.size:
        raise BadFrame("it is cut")
    length = _LENGTH.unpack(prefix)[0]
    if length > MAX_HEADER:
        raise BadFrame("its header is too long")
    try:
        header = json.loads(_exactly(stream, length))
    except (ValueError, RecursionError) as error:
        raise BadFrame("its header is no JSON") from error
    if not isinstance(header, dict):
        raise BadFrame("its header is no object")
    sizes = _sizes(header.pop("files", None), max_files, max_bytes)
    return header, [(name, _exactly(stream, size)) for name, size in sizes]


def _sizes(listed: Any, max_files: int, max_bytes: int) -> list[tuple[str, int]]:
    if not isinstance(listed, list) or len(listed) > max_files:
        raise BadFrame("it has no list of files, or too many of them")
    left = max_bytes
    sizes = []
    for entry in listed:
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and type(entry[1]) is int):
            raise BadFrame("its list of files is wrong")
        left -= entry[1]
        if entry[1] < 0 or left < 0:
            raise BadFrame("its files are too large")
        sizes.append((entry[0], entry[1]))
    return sizes


def _exactly(stream: IO[bytes], length: int) -> bytes:
    content = stream.read(length)
    if len(content) != length:
        raise BadFrame("it is cut")
    return content

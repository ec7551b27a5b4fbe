"""The beginnings of files of many kinds, as strangers upload them: each by its media type."""

from __future__ import annotations

import gzip
import io
import random
import sqlite3
import struct
import tarfile
import zipfile
import zlib

__all__ = ["FOREIGN"]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png() -> bytes:
    header = struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\x00\xff\x00\x00\x00\xff\x00" * 2)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _zip(*names: str) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, f"<?xml version='1.0'?><part name='{name}'/>")
    return whole.getvalue()


def _tar() -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        entry = tarfile.TarInfo("notes.txt")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"hello"))
    return whole.getvalue()


def _database() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE notes (text)")
    whole = connection.serialize()
    connection.close()
    return whole


FOREIGN: dict[str, bytes] = {
    "image/png": _png(),
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xdb\x00C\x00" + bytes(64),
    "image/gif": b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00;",
    "audio/mpeg": b"ID3\x04\x00\x00\x00\x00\x00\x23TSSE\x00\x00\x00\x0f\x00\x00\x03Lavf\x00\xff\xfb\x90\x64\x00\x00",
    "video/mp4": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41\x00\x00\x00\x08free",
    "application/x-elf": b"\x7fELF\x02\x01\x01\x00" + bytes(8) + b"\x03\x00\x3e\x00\x01\x00\x00\x00" + bytes(40),
    "application/vnd.microsoft.portable-executable": b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff" + bytes(50),
    "application/gzip": gzip.compress(b"hello " * 100, mtime=0),
    "application/zip": _zip("notes.txt", "pictures/cat.xml"),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": _zip("xl/workbook.xml", "xl/styles.xml"),
    "application/vnd.oasis.opendocument.text": _zip("mimetype", "content.xml"),
    "application/x-tar": _tar(),
    "application/vnd.sqlite3": _database(),
    "application/rtf": b"{\\rtf1\\ansi\\deff0 {\\fonttbl {\\f0 Times;}} Hello \\b world\\b0.\\par}",
    "application/postscript": b"%!PS-Adobe-3.0\n/Times findfont 12 scalefont setfont\n(Hello) show\nshowpage\n",
    "application/pdf": b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n",
    "application/octet-stream": random.Random(1).randbytes(4096),
}
"""Small whole files, or the first bytes of larger ones."""

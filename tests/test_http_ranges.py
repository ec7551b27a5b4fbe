"""Kept files in parts: what a player, a viewer or a cut download asks for, and what is wrong to ask for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from agentic.runtime.spaces import ScopedBlobs, of_user
from agentic.testing.memory_blobs import pieces_of
from tests.document_fixtures import Office, refusal

DATA = b"".join(b"%06d\n" % n for n in range(60_000))
"""More than one piece of the store of files."""
RUN = f"run_{'0' * 20}"


@pytest.fixture
async def path(office: Office) -> str:
    """The address of a document's content."""
    file_id = (await office.upload(DATA, "long.txt"))["file_id"]
    return f"/api/files/documents/{file_id}/content"


async def asked(office: Office, path: str, wanted: str, **headers: str) -> httpx.Response:
    return await office.ann.get(path, headers={"Range": wanted, **headers})


PARTS = {
    "bytes=0-0": (0, 1),
    "bytes=7-13": (7, 14),
    "bytes=100000-": (100_000, 420_000),
    "bytes=419999-500000": (419_999, 420_000),
    "bytes=-7": (419_993, 420_000),
    "bytes=-999999999": (0, 420_000),
    "bytes=0-419999": (0, 420_000),
    "BYTES= 300000-400000 ": (300_000, 400_001),
    f"bytes=7-{'9' * 30}": (7, 420_000),
    f"bytes=-{'9' * 30}": (0, 420_000),
}
BEYOND = ("bytes=420000-", "bytes=999999-1000000", "bytes=-0")
NO_PART = ("bytes=5-2", "bytes=a-b", "bytes=", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "bytes=1-2x", "7-8", "")


async def test_part_that_is_asked_for_is_given_with_its_place(office: Office, path: str) -> None:
    for wanted, (first, end) in PARTS.items():
        part = await asked(office, path, wanted)
        assert (part.status_code, part.content) == (206, DATA[first:end]), wanted
        assert part.headers["content-range"] == f"bytes {first}-{end - 1}/420000"
        assert part.headers["content-length"] == str(end - first)
        assert part.headers["content-type"] == "text/plain"
    for wanted in BEYOND:
        refused = await asked(office, path, wanted)
        assert "420000 bytes" in refusal(refused, 416), wanted
        assert refused.headers["content-range"] == "bytes */420000"
    for wanted in NO_PART:
        whole = await asked(office, path, wanted)
        assert (whole.status_code, whole.headers["content-length"], whole.content) == (200, "420000", DATA), wanted
        assert "content-range" not in whole.headers


async def test_download_goes_on_only_with_the_file_that_it_began_and_head_tells_of_it(
    office: Office, path: str
) -> None:
    whole = await office.ann.get(path)
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    tag = whole.headers["etag"]
    goes_on = await asked(office, path, "bytes=400000-", **{"If-Range": tag})
    assert (goes_on.status_code, goes_on.content) == (206, DATA[400_000:])
    for other in ('"another"', f"W/{tag}", "Wed, 21 Oct 2026 07:28:00 GMT"):
        anew = await asked(office, path, "bytes=400000-", **{"If-Range": other})
        assert (anew.status_code, anew.content) == (200, DATA)
    for known in (tag, f'"x", W/{tag}', "*"):
        unchanged = await office.ann.get(path, headers={"If-None-Match": known})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)
    assert (await office.ann.get(path, headers={"If-None-Match": '"another"'})).status_code == 200
    # Several lines of a header are one list; there is one Range, or none.
    twice = await office.ann.get(path, headers=[("If-None-Match", '"x"'), ("If-None-Match", tag)])
    assert twice.status_code == 304
    two = await office.ann.get(path, headers=[("Range", "bytes=0-1"), ("Range", "bytes=5-6")])
    assert (two.status_code, two.content) == (200, DATA)
    alike = (await office.upload(DATA, "long.txt"))["file_id"]
    assert (await office.ann.get(f"/api/files/documents/{alike}/content")).headers["etag"] != tag
    # HEAD tells what GET would, and sends nothing.
    head = await office.ann.head(path, headers={"Range": "bytes=0-9"})
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "content-disposition", "etag", "accept-ranges"):
        assert head.headers[name] == whole.headers[name]
    assert (await office.bob.head(path)).status_code == 404
    assert (await office.bob.get(path, headers={"Range": "bytes=0-9"})).status_code == 404


async def test_only_the_file_that_is_wanted_is_given(office: Office, path: str) -> None:
    tag = (await office.ann.head(path)).headers["etag"]
    for wanted in (tag, f'"x", {tag}', "*"):
        part = await asked(office, path, "bytes=0-6", **{"If-Match": wanted})
        assert (part.status_code, part.content) == (206, DATA[:7]), wanted
    for other in ('"x"', f"W/{tag}", ""):
        for headers in ({"If-Match": other}, {"If-Match": other, "Range": "bytes=0-6", "If-None-Match": tag}):
            assert "If-Match" in refusal(await office.ann.get(path, headers=headers), 412)


async def test_file_of_a_run_comes_in_parts_too(office: Office) -> None:
    blobs = of_user(office.kernel.everything, office.people["ann"]).blobs
    await blobs.put(f"runs/{RUN}/made.bin", pieces_of(DATA))
    await blobs.put(f"runs/{RUN}/empty.txt", pieces_of(b""))
    path = f"/api/runs/{RUN}/files/made.bin"
    part = await asked(office, path, "bytes=-7")
    assert (part.status_code, part.content) == (206, DATA[-7:])
    assert (await office.ann.head(path)).headers["content-length"] == "420000"
    empty = await office.ann.get(f"/api/runs/{RUN}/files/empty.txt")
    assert (empty.status_code, empty.content, empty.headers["content-length"]) == (200, b"", "0")
    assert (await asked(office, f"/api/runs/{RUN}/files/empty.txt", "bytes=0-")).status_code == 416
    its_end = await asked(office, f"/api/runs/{RUN}/files/empty.txt", "bytes=-5")
    assert (its_end.status_code, its_end.content) == (200, b"")
    assert refusal(await asked(office, f"/api/runs/{RUN}/files/no.bin", "bytes=0-1"), 404)


async def test_no_more_is_read_than_is_asked_for_and_what_is_gone_is_not_found(
    office: Office, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, read = ScopedBlobs.open, [0, 0]

    async def counted(self: ScopedBlobs, key: str, start: int = 0) -> AsyncIterator[bytes]:
        read[0] = start
        async for piece in opened(self, key, start):
            read[1] += len(piece)
            yield piece

    monkeypatch.setattr(ScopedBlobs, "open", counted)
    assert len((await asked(office, path, "bytes=5000-5099")).content) == 100
    assert read[0] == 5000
    assert read[1] < len(DATA) - 5000

    await asyncio.to_thread(lambda: [file.unlink() for file in (office.data / "files").rglob("doc_*long.txt")])
    for headers in (
        {},
        {"Range": "bytes=0-9"},
        {"If-None-Match": "*"},
        {"If-Match": '"x"'},
        {"Range": "bytes=420000-"},
    ):
        assert refusal(await office.ann.get(path, headers=headers), 404)
    assert (await office.ann.head(path)).status_code == 404

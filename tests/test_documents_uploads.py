"""Uploads over HTTP: what is refused leaves nothing, what is acknowledged is kept, and nobody sees another's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentic import Document, StorageError
from agentic.documents.record import Record, save
from agentic.documents.shelf import Shelf
from agentic.errors import RateLimited
from agentic.kernel import Kernel
from agentic.testing.memory_blobs import MemoryBlobs
from agentic.testing.memory_storage import MemoryStorage
from tests.document_fixtures import Office, refusal, traces
from tests.document_plugins import LineIndexer

EMPTY = "doc_" + "0" * 24
FRAMED = "multipart/form-data; boundary=frame"


def form(*parts: bytes, end: bytes = b"--frame--\r\n") -> bytes:
    return b"".join(b"--frame\r\n" + part + b"\r\n" for part in parts) + end


def part(data: bytes = b"one line", name: str = "a.txt", field: str = "file") -> bytes:
    return f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'.encode() + data


async def send(api: httpx.AsyncClient, body: Any, content_type: str = FRAMED) -> Any:
    return await api.post("/api/files/upload?wait=true", content=body, headers={"Content-Type": content_type})


async def assert_nothing_is_kept(office: Office) -> None:
    assert (office.files, await office.keys()) == ([], [])


# What is refused


async def disable(kernel: Kernel) -> None:
    await kernel.departures.shut_out("bob")


async def delete(kernel: Kernel) -> None:
    await kernel.departures.delete("bob")


async def revoke_keys(kernel: Kernel) -> None:
    bob = await kernel.identity.users.find("bob")
    assert bob is not None
    assert await kernel.identity.keys.revoke_all(bob.id)


@pytest.mark.parametrize("shut_out", [disable, delete, revoke_keys])
@pytest.mark.parametrize("size", [100, 300_000], ids=["short", "long"])
async def test_upload_of_whoever_is_shut_out_meanwhile_is_401_and_leaves_nothing(
    office: Office, shut_out: Callable[[Kernel], Awaitable[None]], size: int
) -> None:
    async def slow() -> AsyncIterator[bytes]:
        whole = form(part(b"x" * size))
        yield whole[:-50]
        await shut_out(office.kernel)
        yield whole[-50:]

    assert "not valid" in refusal(await send(office.bob, slow()), 401)
    await assert_nothing_is_kept(office)
    assert not traces(office.data / "files", "xxxxx")


MALFORMED = [
    (b"{}", "application/json"),
    (form(part()), "multipart/form-data"),
    (form(part()), f"multipart/form-data; boundary={'b' * 300}"),
    (form(part()), "multipart/form-data; boundary=other"),
    (b"", FRAMED),
    (b"no form at all", FRAMED),
    (form(part(), end=b""), FRAMED),
    (form(part())[:-30], FRAMED),
    (form(part(field="other")), FRAMED),
    (form(part(), part()), FRAMED),
    (form(b'Content-Disposition: form-data; name="file"\r\n\r\na field, no file'), FRAMED),
    (form(b"X" * 20_000 + b": 1\r\n\r\ntext"), FRAMED),
    (form(part(name="x" * 20_000)), FRAMED),
    (form(part(b"")), FRAMED),
]


async def test_malformed_form_is_400_and_leaves_nothing(office: Office) -> None:
    for body, content_type in MALFORMED:
        assert refusal(await send(office.ann, body, content_type), 400)
    await assert_nothing_is_kept(office)


async def test_unsupported_type_is_told_by_content_with_those_that_are_supported(office: Office) -> None:
    message = refusal(await send(office.ann, form(part(b"\x00\x01" * 100_000, "a.txt"))), 415)
    assert "application/pdf, text/html, text/plain" in message
    await assert_nothing_is_kept(office)


async def test_reader_that_raises_while_it_recognises_recognises_nothing(office: Office) -> None:
    refusal(await send(office.ann, form(part(b"RAISE"))), 415)


async def test_without_readers_the_answer_says_what_to_install(opened: Any) -> None:
    office: Office = await opened("storage_sqlite", "blobs_files")
    assert "install a plugin that reads documents" in refusal(await send(office.ann, form(part())), 415)


async def test_without_a_store_of_files_uploads_are_refused_with_a_fix(opened: Any) -> None:
    office: Office = await opened("documents", "storage_sqlite")
    assert "Install a plugin" in refusal(await send(office.ann, form(part())), 503)
    assert await office.keys() == []


async def test_file_larger_than_the_limit_is_413_and_leaves_nothing(opened: Any) -> None:
    office: Office = await opened(max_upload_mb=0.5)

    async def endless() -> AsyncIterator[bytes]:
        yield form(part(), end=b"")[:-2]
        while True:
            yield b"x" * 50_000

    told = await send(office.ann, form(part(b"x" * 700_000)))
    untold = await send(office.ann, endless())
    assert "0.5 MB (MAX_UPLOAD_MB)" in refusal(told, 413)
    assert "0.5 MB (MAX_UPLOAD_MB)" in refusal(untold, 413)
    await assert_nothing_is_kept(office)
    assert (await office.upload("x" * 500_000))["status"] == "ready"


async def test_upload_is_not_held_to_the_limit_of_bodies(opened: Any) -> None:
    office: Office = await opened(max_body_mb=0.01)
    assert (await office.upload("line\n" * 10_000))["size"] == 50_000


async def test_room_of_a_user_holds_while_the_file_comes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = []

    @asynccontextmanager
    async def storing(_principal: Any) -> AsyncIterator[Any]:
        room = 100_000

        def take(size: int) -> None:
            nonlocal room
            room -= size
            if room < 0:
                raise RateLimited("Your files take all their room.", retry_after_s=60)

        try:
            yield take
        except BaseException:
            given_back.append(room)
            raise

    monkeypatch.setattr(office.kernel.identity.meter, "storing", storing)
    response = await send(office.ann, form(part(b"x" * 200_000)))
    assert refusal(response, 429) == "Your files take all their room."
    assert response.headers["retry-after"] == "60"
    assert given_back
    await assert_nothing_is_kept(office)
    assert (await office.upload("x" * 90_000))["status"] == "ready"


async def test_wrong_page_is_422(office: Office) -> None:
    for query in ["page=0", "page=-1", "page=x", "page_size=0", "page_size=201", "sort=secret", "status=done"]:
        assert refusal(await office.ann.get(f"/api/files/documents?{query}"), 422)


async def test_wrong_search_is_422(office: Office) -> None:
    for body in [
        {},
        {"query": ""},
        {"query": "a", "top_k": 0},
        {"query": "a", "top_k": 51},
        {"query": "a", "user": "ann"},
    ]:
        assert refusal(await office.ann.post("/api/files/search", json=body), 422)


async def test_documents_of_others_are_not_found(office: Office) -> None:
    mine = (await office.upload("only mine", "mine.txt"))["file_id"]
    for file_id in (EMPTY, "doc_x", "..", "%2e%2e%2f" + mine, mine.upper(), mine + "%00"):
        for path in (file_id, f"{file_id}/content"):
            assert (await office.ann.get(f"/api/files/documents/{path}")).status_code == 404
        assert (await office.ann.delete(f"/api/files/documents/{file_id}")).status_code == 404
    unknown = refusal(await office.bob.get(f"/api/files/documents/{EMPTY}"), 404)
    assert refusal(await office.bob.get(f"/api/files/documents/{mine}"), 404) == unknown
    assert refusal(await office.bob.get(f"/api/files/documents/{mine}/content"), 404) == unknown
    assert refusal(await office.bob.delete(f"/api/files/documents/{mine}"), 404) == unknown
    asked = await office.bob.post("/api/files/search", json={"query": "mine", "documents": [mine]})
    assert refusal(asked, 404) == unknown
    assert (await office.bob.post("/api/files/search", json={"query": "mine"})).json() == {"passages": []}
    assert (await office.bob.get("/api/files/documents")).json()["total"] == 0
    assert (await office.shown(mine))["status"] == "ready"


@pytest.mark.parametrize("method, path", [("GET", "documents"), ("POST", "upload"), ("POST", "search")])
async def test_nothing_is_told_without_a_token(office: Office, method: str, path: str) -> None:
    async with httpx.AsyncClient(transport=office.ann._transport, base_url="http://test") as nobody:
        refusal(await nobody.request(method, f"/api/files/{path}"), 401)


async def test_search_that_cannot_be_made_says_why(office: Office) -> None:
    answer = await office.ann.post("/api/files/search", json={"query": "stale"})
    assert "agentic documents reindex" in refusal(answer, 409)


# What is kept


async def test_upload_is_answered_at_once_and_taken_in_afterwards(office: Office) -> None:
    response = await office.ann.post("/api/files/upload", files={"file": ("a.txt", b"SLOW one\nSLOW two\nthree")})
    answer = response.json()
    file_id = answer["file_id"]
    assert answer == {"file_id": file_id, "doc_id": file_id, "filename": "a.txt", "size": 23, "status": "indexing"}
    assert (await office.shown(file_id))["status"] == "indexing"
    shown = await office.until(file_id, "ready")
    assert (shown["chunks"], shown["progress"], shown["error"], shown["media_type"]) == (3, 1.0, "", "text/plain")
    assert "ingestion" not in "".join(await office.keys())


async def test_progress_is_told_while_it_is_made(office: Office) -> None:
    response = await office.ann.post("/api/files/upload", files={"file": ("a.txt", b"SLOW\n" * 8 + b"FOREVER\n")})
    seen: set[float] = set()
    async with asyncio.timeout(20):
        while len(seen) < 3:
            seen.add((await office.shown(response.json()["file_id"]))["progress"])
            await asyncio.sleep(0.05)
    assert all(0 <= one < 1 for one in seen)


async def test_pages_are_kept_for_every_plugin_of_the_user_alone(office: Office) -> None:
    file_id = (await office.upload("first\fsecond", "ä.txt"))["file_id"]
    from agentic.runtime.spaces import of_conversation, of_plugin, of_user

    everything = office.kernel.documents.everything
    ann = office.people["ann"]
    for space in (
        of_user(everything, ann),
        of_plugin(everything, ann, "p"),
        of_conversation(everything, ann, "s", "p"),
    ):
        pages = await space.documents.pages(file_id)
        assert [(page.number, page.text, page.heading) for page in pages] == [
            (1, "first", ("Top",)),
            (2, "second", ("Top",)),
        ]
        assert (await space.documents.get(file_id)).name == "ä.txt"
        assert [one.id for one in await space.documents.list()] == [file_id]
        assert b"".join([piece async for piece in space.documents.open(file_id, 1)]).startswith(b"irst")
    bobs = of_plugin(everything, office.people["bob"], "p").documents
    assert await bobs.list() == []


async def test_content_is_shown_in_place_only_where_nothing_in_it_can_run(office: Office) -> None:
    shown = {"a.pdf": b"%PDF-1.7 text", "a.txt": b"plain", "a.html": b"<html><script>alert(1)</script>"}
    places = {}
    for name, data in shown.items():
        file_id = (await office.upload(data, name))["file_id"]
        answer = await office.ann.get(f"/api/files/documents/{file_id}/content")
        assert answer.content == data
        assert answer.headers["content-length"] == str(len(data))
        assert answer.headers["x-content-type-options"] == "nosniff"
        places[name] = (answer.headers["content-type"], answer.headers["content-disposition"].partition(";")[0])
    assert places == {
        "a.pdf": ("application/pdf", "inline"),
        "a.txt": ("text/plain", "inline"),
        "a.html": ("application/octet-stream", "attachment"),
    }


NAMES = [
    ("../../../etc/passwd", "passwd"),
    ("/etc/passwd", "passwd"),
    ("..", "file"),
    (".", "file"),
    ("", "file"),
    ("a/../..", "file"),
    (r"..\..\boot.ini", "boot.ini"),
    (r"C:\Users\x\plan.txt", "plan.txt"),
    ("nul\x00byte.txt", "nul_byte.txt"),
    ("CON", "CON"),
    ("aux.txt", "aux.txt"),
    ("a:stream.txt", "a_stream.txt"),
    ("‥／‥／etc.txt", "‥／‥／etc.txt"),
    ("\u202egpj.exe", "_gpj.exe"),
    ("e\u0301.txt", "é.txt"),
    ("x" * 3000 + ".txt", "x" * 116 + ".txt"),
    ("😀" * 300, "😀" * 120),
    ("trailing. ", "trailing"),
]


async def test_no_name_leads_out_of_the_users_folder(office: Office) -> None:
    root = office.data / "files" / "spaces" / office.people["ann"].id
    before = places(office)
    for name, kept in NAMES:
        answer = (await send(office.ann, form(part(name=name)))).json()
        assert (answer["filename"], answer["status"]) == (kept, "ready")
        assert places(office) - before <= {root, *root.rglob("*")}
        fetched = await office.ann.get(f"/api/files/documents/{answer['file_id']}/content")
        assert fetched.content == b"one line"
        assert (await office.ann.delete(f"/api/files/documents/{answer['file_id']}")).status_code == 200
    await assert_nothing_is_kept(office)


def places(office: Office) -> set[Path]:
    """All files at hand but those of SQLite."""
    return {one for one in office.data.parent.rglob("*") if one.is_file() and "agentic.db" not in one.name}


async def test_name_in_the_extended_form_is_the_files_name(office: Office) -> None:
    # As .NET sends it, alone, in quotes, and what is no name in that form.
    names = {
        "filename=\"=?utf-8?B?bmHDr3ZlLnR4dA==?=\"; filename*=utf-8''na%C3%AFve.txt": "naïve.txt",
        "filename*=UTF-8'en'na%C3%AFve%20%E2%82%AC.txt": "naïve €.txt",
        "filename*=\"UTF-8''..%2F..%2Fetc%00%FF.txt\"": "etc_\ufffd.txt",
        "filename=\"plain.txt\"; filename*=bogus''x%E4.txt": "plain.txt",
    }
    for told, kept in names.items():
        head = f'Content-Disposition: form-data; name="file"; {told}\r\n\r\n'.encode()
        answer = (await send(office.ann, form(head + b"one line"))).json()
        assert answer.get("filename") == kept, answer


async def test_documents_are_listed_by_page_order_name_and_status(office: Office) -> None:
    for name, data in (("b.txt", "one\ntwo"), ("a.txt", "one"), ("C.txt", "ENCRYPTED")):
        await office.upload(data, name)

    async def names(query: str = "") -> list[str]:
        answer = (await office.ann.get(f"/api/files/documents?{query}")).json()
        return [one["filename"] for one in answer["documents"]]

    assert await names() == ["C.txt", "a.txt", "b.txt"]
    assert await names("order=asc") == ["b.txt", "a.txt", "C.txt"]
    assert await names("sort=name") == ["a.txt", "b.txt", "C.txt"]
    assert await names("sort=size&order=desc") == ["C.txt", "b.txt", "a.txt"]
    assert await names("status=failed") == ["C.txt"]
    assert await names("name=B.t") == ["b.txt"]
    assert await names("page_size=2&page=2") == ["b.txt"]
    past = (await office.ann.get("/api/files/documents?page=9&page_size=2")).json()
    assert past == {"documents": [], "page": 9, "page_size": 2, "total": 3}


async def test_search_finds_passages_with_their_source(office: Office) -> None:
    first = (await office.upload("A tower\nof stone", "tower.txt"))["file_id"]
    second = (await office.upload("of water\nof tower", "sea.txt"))["file_id"]
    found = (await office.ann.post("/api/files/search", json={"query": "tower"})).json()["passages"]
    assert [(one["file_id"], one["text"], one["filename"]) for one in found] == [
        (first, "A tower", "tower.txt"),
        (second, "of tower", "sea.txt"),
    ]
    assert found[0]["citation"] == {"url": f"/api/files/documents/{first}/content#page=1", "title": "a title"}
    only = await office.ann.post("/api/files/search", json={"query": "tower", "documents": [second], "top_k": 1})
    assert [one["file_id"] for one in only.json()["passages"]] == [second]
    none = await office.ann.post("/api/files/search", json={"query": "tower", "documents": []})
    assert none.json()["passages"] == []


async def test_passage_of_a_document_that_is_no_more_is_not_told(office: Office) -> None:
    gone = (await office.upload("A tower", "tower.txt"))["file_id"]
    await office.kernel.storage.delete(f"spaces/{office.people['ann'].id}/documents/{gone}")
    assert (await office.ann.post("/api/files/search", json={"query": "tower"})).json()["passages"] == []


async def test_document_that_is_deleted_just_when_it_was_found_costs_nobody_the_others(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = (await office.upload("A tower", "tower.txt"))["file_id"]
    kept = (await office.upload("of tower", "sea.txt"))["file_id"]
    search = office.kernel.documents.search

    async def search_late(*arguments: Any, **options: Any) -> Any:
        found = await search(*arguments, **options)
        await office.kernel.storage.delete(f"spaces/{office.people['ann'].id}/documents/{gone}")
        return found

    monkeypatch.setattr(office.kernel.documents, "search", search_late)
    answer = await office.ann.post("/api/files/search", json={"query": "tower"})
    assert [one["file_id"] for one in answer.json()["passages"]] == [kept]


async def test_without_indexers_documents_are_read_and_ready(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    office: Office = await opened()
    monkeypatch.setattr(office.kernel.documents, "indexers", [])
    monkeypatch.setattr(office.kernel.documents.ingestion._intake, "_indexers", [])
    assert (await office.upload())["status"] == "ready"
    assert LineIndexer.calls == 0


async def test_damaged_record_is_left_out_of_pages_and_a_storage_that_is_away_is_told() -> None:
    class Away(MemoryStorage):
        async def list(self, prefix: str, **more: Any) -> Any:
            raise StorageError("away")

    storage = MemoryStorage()
    shelf = Shelf(storage, MemoryBlobs())
    ids = [f"doc_{number:024x}" for number in range(3)]
    for one in ids:
        document = Document(id=one, name="a.txt", size=1, media_type="text/plain", status="ready", created_at=0)
        await save(storage, Record(document=document))
    await storage.save(f"documents/{ids[1]}", {"name": "a.txt"})
    assert [one.id for one in await shelf.list(limit=2)] == [ids[0], ids[2]]
    assert [one.id for one in await shelf.list(after=ids[0])] == [ids[2]]
    with pytest.raises(StorageError, match="away"):
        await Shelf(Away(), MemoryBlobs()).list()

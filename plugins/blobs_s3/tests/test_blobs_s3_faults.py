"""What the store does when the server, the network or its caller is at fault."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

from agentic import NotConfigured, StorageError
from agentic.testing.blobs import pieces_of, whole
from agentic.testing.s3 import SECRET_KEY, running_s3
from agentic_blobs_s3 import agentic_blob_stores
from agentic_blobs_s3.keys import LONGEST_KEY, escaped, object_key, plain
from agentic_blobs_s3.settings import Settings
from agentic_blobs_s3.store import S3Blobs
from agentic_blobs_s3.upload import PART, in_parts

Open = Callable[[], S3Blobs]
TWO_PARTS = PART * 2 + 1000


def changed(settings: Settings, **values: Any) -> Settings:
    return settings.model_copy(update=values)


async def unfinished(store: S3Blobs) -> list[Any]:
    async with store._bucket.client() as client:
        answer = await client.list_multipart_uploads(Bucket=store._bucket.name)
    return list(answer.get("Uploads", ()))


@pytest.fixture
def tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the waits between tries."""
    monkeypatch.setattr("agentic_blobs_s3.bucket.TRIES", 1)


@pytest.mark.usefixtures("tried_once")
async def test_server_that_is_away_is_told_with_its_address(settings: Settings) -> None:
    store = S3Blobs(changed(settings, s3_endpoint="http://127.0.0.1:9"))
    for doing in (store.put("k", pieces_of(b"x")), store.size("k"), store.list(""), anext(store.open("k"))):
        with pytest.raises(StorageError, match=r"does not answer: start http://127\.0\.0\.1:9"):
            await doing
    assert "does not answer" in str(await store.health())
    await store.aclose()


@pytest.mark.usefixtures("tried_once")
async def test_server_that_dies_in_mid_upload_fails_the_put_and_nothing_hangs(settings: Settings) -> None:
    with running_s3() as server:
        own = changed(settings, s3_endpoint=server.endpoint, s3_bucket=server.make_bucket())
        store = S3Blobs(own)

        async def cut() -> AsyncIterator[bytes]:
            yield b"x" * TWO_PARTS
            await asyncio.to_thread(server.stop)
            yield b"x" * TWO_PARTS

        with pytest.raises(StorageError, match="does not answer"):
            await asyncio.wait_for(store.put("k", cut()), 60)
        await store.aclose()


@pytest.mark.usefixtures("tried_once")
@pytest.mark.parametrize(
    "answered", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\nhalf"], ids=["at once", "later"]
)
async def test_line_that_is_cut_is_told_whatever_was_asked(settings: Settings, answered: bytes) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answered)
        await writer.drain()
        writer.transport.abort() if not answered else writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        store = S3Blobs(changed(settings, s3_endpoint=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        doings = [whole(store, "k"), whole(store, "k", 3), store.list("")]
        for doing in doings if answered else [*doings, store.put("k", pieces_of(b"x")), store.size("k")]:
            with pytest.raises(StorageError, match="does not answer"):
                await doing
        await store.aclose()


async def test_bucket_that_is_not_there_is_told_with_its_setting(settings: Settings) -> None:
    store = S3Blobs(changed(settings, s3_bucket="nowhere"))
    for doing in (store.put("k", pieces_of(b"x")), store.list("")):
        with pytest.raises(StorageError, match=r"no such bucket\. Make it, or correct S3_BUCKET"):
            await doing
    assert "S3_BUCKET" in str(await store.health())
    await store.aclose()


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        ("AccessDenied", "Let it read, write, list and delete"),
        ("SignatureDoesNotMatch", "Correct S3_SECRET_ACCESS_KEY"),
        ("InvalidAccessKeyId", "Correct S3_ACCESS_KEY_ID"),
        ("SlowDown", "Try again later"),
        ("SomethingNew", "failed: SomethingNew"),
        ("NoCredentialsError", "set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY"),
    ],
)
async def test_refusals_say_what_to_mend(store: S3Blobs, code: str, fix: str) -> None:
    assert fix in store._bucket._fault(code).message


@pytest.mark.parametrize(
    ("code", "again"),
    [("SlowDown", True), ("InternalError", True), ("ConnectionClosedError", True), ("AccessDenied", False)],
)
async def test_faults_that_pass_by_themselves_say_when_to_ask_again(store: S3Blobs, code: str, again: bool) -> None:
    assert (store._bucket._fault(code).retry_after_s is not None) == again


async def test_big_file_that_fails_or_is_cancelled_leaves_no_parts(store: S3Blobs) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * TWO_PARTS
        raise RuntimeError("the line was cut")

    with pytest.raises(RuntimeError):
        await store.put("k", broken())
    reached = asyncio.Event()

    async def hanging() -> AsyncIterator[bytes]:
        yield b"x" * TWO_PARTS
        reached.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(store.put("k", hanging()))
    await reached.wait()
    assert len(await unfinished(store)) == 1
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await unfinished(store) == []
    assert await store.size("k") is None


async def test_file_of_several_parts_comes_back_whole(store: S3Blobs) -> None:
    data = bytes(n % 251 for n in range(1000)) * (TWO_PARTS // 1000)
    for size in (PART - 1, PART, PART + 1, len(data)):
        assert await store.put("k", pieces_of(data[:size])) == size
        assert await whole(store, "k", 1000) == data[1000:size]
    assert await unfinished(store) == []


async def test_parts_grow_so_that_ten_thousand_hold_the_largest_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentic_blobs_s3.upload.PART", 4)
    monkeypatch.setattr("agentic_blobs_s3.upload.GROWS_EVERY", 2)
    sizes = [part.tell() async for part in in_parts(pieces_of(b"x" * 61))]
    assert sizes == [4, 4, 8, 8, 16, 16, 5]
    largest = sum(PART << min(count // 1000, 9) for count in range(10_000))
    assert largest > 5 * 10**12


async def test_prefix_keeps_other_things_of_the_bucket_out_of_sight(settings: Settings, store: S3Blobs) -> None:
    await store.put("other/k", pieces_of(b"theirs"))
    mine = S3Blobs(changed(settings, s3_prefix="agentic/"))
    await mine.put("f/k", pieces_of(b"mine"))
    assert [blob.key for blob in await mine.list("")] == ["f/k"]
    assert [blob.key for blob in await store.list("")] == ["agentic/f/k", "other/k"]
    assert await mine.delete_under("other/") == 0
    assert await mine.delete_under("f/") == 1
    assert await whole(store, "other/k") == b"theirs"
    await mine.aclose()


async def test_objects_that_are_no_files_of_ours_are_left_alone(store: S3Blobs) -> None:
    async with store._bucket.client() as client:
        for key in ("f/", "a b", "../up", "f//k"):
            await client.put_object(Bucket=store._bucket.name, Key=key, Body=b"x")
    await store.put("f/k", pieces_of(b"x"))
    assert [blob.key for blob in await store.list("")] == ["f/k"]


async def test_more_than_a_page_is_listed_and_deleted(store: S3Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentic_blobs_s3.store.PAGE", 3)
    keys = [f"f/{n}" for n in range(8)] + ["f/\uffff"]
    for key in keys:
        await store.put(key, pieces_of(b"x"))
    assert [blob.key for blob in await store.list("f/")] == keys
    assert [blob.key for blob in await store.list("f/", limit=7)] == keys[:7]
    assert await store.delete_under("f/") == 9
    assert await store.list("") == []


def test_escaped_keys_keep_their_order_and_come_back() -> None:
    parts = ["", *map(chr, range(0x20)), " ", "!", "A", "}", "~", "\x7f", "\x80", "é", "\uffff", "😀"]
    texts = sorted({one + two + "x" for one in parts for two in parts})
    as_objects = [escaped(text) for text in texts]
    assert sorted(as_objects) == as_objects
    assert [plain(text) for text in as_objects] == texts
    assert all(character >= " " and character != "\x7f" for text in as_objects for character in text)


def test_key_that_is_too_long_is_refused() -> None:
    assert object_key("", "k" * LONGEST_KEY)
    for prefix, key in (("p/", "k" * LONGEST_KEY), ("", " " * LONGEST_KEY), ("", "é" * LONGEST_KEY)):
        with pytest.raises(ValueError, match="too long"):
            object_key(prefix, key)


async def test_closed_store_refuses(store: S3Blobs) -> None:
    await store.put("k", pieces_of(b"x"))
    await store.aclose()
    await store.aclose()
    for refused in (store.put("k", pieces_of(b"y")), store.size("k"), anext(store.open("k"))):
        with pytest.raises(StorageError, match="closed"):
            await refused


async def test_logs_name_no_file_and_no_key(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store = S3Blobs(changed(settings, s3_bucket="nowhere"))
    with pytest.raises(StorageError):
        await store.put("private-plan.txt", pieces_of(b"x"))
    await store.aclose()
    assert "NoSuchBucket" in caplog.text
    assert "private-plan" not in caplog.text and SECRET_KEY not in caplog.text


def test_without_a_bucket_it_is_not_configured_and_says_what_to_set() -> None:
    found = agentic_blob_stores(Settings())
    assert isinstance(found, NotConfigured)
    assert "S3_BUCKET" in found.fix


def test_installed_it_changes_no_default(settings: Settings) -> None:
    found = agentic_blob_stores(settings)
    assert isinstance(found, S3Blobs)
    assert found.rank == 0


@pytest.mark.parametrize(
    "wrong", [{"s3_endpoint": "minio:9000"}, {"s3_prefix": "a"}, {"s3_prefix": "../"}, {"s3_access_key_id": "A"}]
)
def test_wrong_settings_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"https://|ends in '/'|together"):
        Settings.model_validate({"s3_bucket": "b", **wrong})


async def test_event_loop_is_never_blocked(store: S3Blobs) -> None:
    # The client is made in a thread, with a loop of that thread's own, which must not be taken for the server's.
    await store.size("k")
    with blockbuster_ctx("agentic_blobs_s3"):
        await store.put("f/k", pieces_of(*[b"x" * 3_000_000] * 3))
        assert len(await whole(store, "f/k", 500_000)) == 8_500_000
        assert len(await store.list("")) == 1
        assert await store.health() is None
        assert await store.delete_under("f/") == 1

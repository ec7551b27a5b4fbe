"""The store of files: what the port promises, in a bucket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from agentic import Blob, BlobStore, NotFound, StorageError
from agentic_blobs_s3.bucket import Bucket
from agentic_blobs_s3.keys import escaped, fits_xml, object_key, object_prefix, plain
from agentic_blobs_s3.settings import Settings
from agentic_blobs_s3.upload import Upload, in_parts

PIECE = 256 * 1024
PAGE = 1000
"""The most that S3 lists, or deletes, at once."""
DELETED_AT_ONCE = 16


class S3Blobs(BlobStore):
    """Files as objects of one bucket, which any number of servers may share.

    A key has at most 1024 bytes of UTF-8, less those of S3_PREFIX, and blanks, tildes and control characters count
    twice; methods raise ValueError for what is no key. The client is made at the first use, and belongs to that event
    loop. ``put`` that is cancelled in its very last step, when all has been sent, may have been made.
    """

    name = "s3"
    rank = 0

    def __init__(self, settings: Settings) -> None:
        self._bucket = Bucket(settings)
        self._prefix = settings.s3_prefix

    async def put(self, key: str, stream: AsyncIterator[bytes]) -> int:
        """Write the file: a small one at once, a big one in parts that become the file when all are there."""
        upload = Upload(self._bucket, object_key(self._prefix, key))
        try:
            async for part in in_parts(stream):
                await upload.add(part)
            await upload.finish()
        except BaseException:
            await upload.discard()
            raise
        return upload.size

    async def open(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        """The file's bytes from ``start`` on, as they were when it was opened."""
        if start < 0:
            raise ValueError("start is at least 0")
        wanted = {"Key": object_key(self._prefix, key)} | ({"Range": f"bytes={start}-"} if start else {})
        try:
            async with self._bucket.client() as client:
                answer = await client.get_object(Bucket=self._bucket.name, **wanted)
                async with answer["Body"] as body:
                    async for piece in body.iter_chunks(PIECE):
                        yield piece
        except StorageError as error:
            if not _is_beyond(error.__cause__):
                raise

    async def size(self, key: str) -> int | None:
        """The file's size in bytes, or None."""
        wanted = object_key(self._prefix, key)
        try:
            async with self._bucket.client() as client:
                answer = await client.head_object(Bucket=self._bucket.name, Key=wanted)
        except NotFound:
            return None
        return int(answer["ContentLength"])

    async def delete(self, key: str) -> bool:
        """Remove the file; of several who do at once, each may have been the one."""
        if await self.size(key) is None:
            return False
        async with self._bucket.client() as client:
            await client.delete_object(Bucket=self._bucket.name, Key=object_key(self._prefix, key))
        return True

    async def delete_under(self, prefix: str) -> int:
        """Remove everything under ``prefix``, a thousand files at a time."""
        if not prefix:
            raise ValueError("a prefix ends in '/'")
        count = 0
        while page := await self.list(prefix, limit=PAGE):
            await self._delete([object_key(self._prefix, blob.key) for blob in page])
            count += len(page)
        return count

    async def list(self, prefix: str, *, after: str | None = None, limit: int = 100) -> Sequence[Blob]:
        """Files under ``prefix`` in key order."""
        wanted: dict[str, Any] = {"Bucket": self._bucket.name, "Prefix": object_prefix(self._prefix, prefix)}
        if after is not None:
            wanted["StartAfter"] = self._prefix + escaped(after)
        found: list[Blob] = []
        while len(found) < limit:
            async with self._bucket.client() as client:
                answer = await client.list_objects_v2(**wanted, MaxKeys=min(PAGE, limit - len(found)))
            found += filter(None, map(self._blob, answer.get("Contents", ())))
            if not answer.get("IsTruncated"):
                break
            wanted["ContinuationToken"] = answer["NextContinuationToken"]
        return found

    async def health(self) -> str | None:
        """None if files can be stored: an upload is begun, and given up again."""
        try:
            async with self._bucket.client() as client:
                where = {"Bucket": self._bucket.name, "Key": f"{self._prefix}.health"}
                begun = await client.create_multipart_upload(**where)
                await client.abort_multipart_upload(**where, UploadId=begun["UploadId"])
        except (StorageError, NotFound) as error:
            return error.message
        return None

    async def aclose(self) -> None:
        """Let go of the connections. Later calls raise StorageError."""
        await self._bucket.aclose()

    def _blob(self, item: Any) -> Blob | None:
        key = plain(item["Key"].removeprefix(self._prefix))
        return None if key is None else Blob(key, int(item["Size"]), item["LastModified"].timestamp())

    async def _delete(self, keys: Sequence[str]) -> None:
        """Remove objects: in one request what XML can name, and each by itself what it cannot."""
        named = [key for key in keys if fits_xml(key)]
        async with self._bucket.client() as client:
            if named:
                wanted = {"Objects": [{"Key": key} for key in named], "Quiet": True}
                answer = await client.delete_objects(Bucket=self._bucket.name, Delete=wanted)
                if errors := answer.get("Errors"):
                    raise StorageError(f"The store of files (s3) deleted not all: {errors[0].get('Code', 'Error')}.")
            for key in keys:
                if not fits_xml(key):
                    await client.delete_object(Bucket=self._bucket.name, Key=key)


def _is_beyond(error: BaseException | None) -> bool:
    """Whether what was asked for begins behind the file's end."""
    # Where the line was cut there is the attribute, and no response in it.
    answer = getattr(error, "response", None) or {}
    return answer.get("Error", {}).get("Code") in ("InvalidRange", "416")

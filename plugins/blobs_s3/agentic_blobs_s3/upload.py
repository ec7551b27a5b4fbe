"""A file on its way into the bucket: nobody sees it before it is whole."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from io import BytesIO
from typing import Any

from agentic import AgenticError
from agentic_blobs_s3.bucket import Bucket

logger = logging.getLogger(__name__)

PART = 5 * 1024 * 1024
"""Bytes of a part; S3 wants at least these of each but the last, and at most 10,000 parts."""
GROWS_EVERY = 1000
"""Parts after which they become twice as big, so that a file of S3's largest size fits in."""
GIVING_UP_S = 30


async def in_parts(stream: AsyncIterator[bytes]) -> AsyncIterator[BytesIO]:
    """The stream in parts of the size that uploads have, at least one; each is the receiver's own."""
    part, count = BytesIO(), 0
    async for data in stream:
        left = memoryview(data)
        while left:
            size = PART << min(count // GROWS_EVERY, 9)
            room = size - part.tell()
            part.write(left[:room])
            left = left[room:]
            if part.tell() == size:
                yield part
                part, count = BytesIO(), count + 1
    if part.tell() or not count:
        yield part


class Upload:
    """One file. What is smaller than a part is sent as a whole, in one request."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self.size = 0
        self._bucket = bucket
        self._where = {"Bucket": bucket.name, "Key": key}
        self._whole: BytesIO | None = None
        self._id = ""
        self._parts: list[dict[str, Any]] = []

    async def add(self, part: BytesIO) -> None:
        """Take the next part."""
        size = part.tell()
        self.size += size
        part.seek(0)
        if size < PART and not self._id:
            self._whole = part
            return
        async with self._bucket.client() as client:
            if not self._id:
                begun = await client.create_multipart_upload(**self._where)
                self._id = begun["UploadId"]
            number = len(self._parts) + 1
            answer = await client.upload_part(**self._where, UploadId=self._id, PartNumber=number, Body=part)
            self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    async def finish(self) -> None:
        """Have the file take its place."""
        async with self._bucket.client() as client:
            if not self._id:
                await client.put_object(**self._where, Body=self._whole or b"")
                return
            parts = {"Parts": self._parts}
            await client.complete_multipart_upload(**self._where, UploadId=self._id, MultipartUpload=parts)
            self._id = ""

    async def discard(self) -> None:
        """Remove what was sent, though the one who sent it is being cancelled."""
        if not self._id:
            return
        giving_up = asyncio.ensure_future(self._abort())
        while not giving_up.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([giving_up])

    async def _abort(self) -> None:
        try:
            async with asyncio.timeout(GIVING_UP_S), self._bucket.client() as client:
                await client.abort_multipart_upload(**self._where, UploadId=self._id)
        except (AgenticError, TimeoutError) as error:
            # The bucket's own rule for uploads that were never finished removes it.
            logger.warning("[S3] Upload not removed: %s", type(error).__name__)

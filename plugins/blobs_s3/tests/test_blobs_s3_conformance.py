"""The kit for stores of files, on a server that speaks S3."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from agentic.testing.blobs import BlobConformance
from agentic_blobs_s3.settings import Settings
from agentic_blobs_s3.store import S3Blobs


class TestS3Blobs(BlobConformance):
    @pytest.fixture
    async def store(self, settings: Settings) -> AsyncIterator[S3Blobs]:
        store = S3Blobs(settings)
        yield store
        await _nothing_half_sent(store)
        await store.aclose()

    @pytest.fixture
    def reopen(self, settings: Settings) -> Callable[[], S3Blobs]:
        return lambda: S3Blobs(settings)


async def _nothing_half_sent(store: S3Blobs) -> None:
    """What was sent of files that did not become whole would be paid for, for ever."""
    other = S3Blobs(store._bucket._settings)
    async with other._bucket.client() as client:
        assert "Uploads" not in await client.list_multipart_uploads(Bucket=other._bucket.name)
    await other.aclose()

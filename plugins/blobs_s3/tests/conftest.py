"""What the tests of the store in a bucket share: one server that speaks S3, and a bucket for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from agentic.testing.s3 import ACCESS_KEY, SECRET_KEY, S3Server, running_s3
from agentic_blobs_s3.settings import Settings
from agentic_blobs_s3.store import S3Blobs

Open = Callable[[], S3Blobs]


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture
def settings(server: S3Server) -> Settings:
    return Settings.model_validate(
        {
            "s3_bucket": server.make_bucket(),
            "s3_endpoint": server.endpoint,
            "s3_access_key_id": ACCESS_KEY,
            "s3_secret_access_key": SECRET_KEY,
        }
    )


@pytest.fixture
def reopen(settings: Settings) -> Open:
    return lambda: S3Blobs(settings)


@pytest.fixture
async def store(reopen: Open) -> AsyncIterator[S3Blobs]:
    store = reopen()
    yield store
    await store.aclose()

"""The client of the bucket: made at the first use, and what goes wrong with it told in words."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from agentic import NotFound, StorageError
from agentic_blobs_s3.settings import Settings

logger = logging.getLogger(__name__)

CONNECTIONS = 32
CONNECT_S = 10
READ_S = 60
TRIES = 3
AGAIN_S = 5
"""When to ask again where the fault passes by itself."""
CLOSED = "The store of files is closed."

FAULTS = {
    "NoSuchBucket": "there is no such bucket. Make it, or correct S3_BUCKET.",
    "AccessDenied": "the key may not do this. Let it read, write, list and delete in the bucket.",
    "403": "the key may not do this. Let it read, write, list and delete in the bucket.",
    "InvalidAccessKeyId": "it knows no such key. Correct S3_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "the key's secret is wrong. Correct S3_SECRET_ACCESS_KEY.",
    "PermanentRedirect": "the bucket is elsewhere. Correct S3_REGION or S3_ENDPOINT.",
    "AuthorizationHeaderMalformed": "the bucket is in another region. Correct S3_REGION.",
    "XMinioStorageFull": "its disk is full. Make room on it, and try again.",
    "QuotaExceeded": "its quota is used up. Raise it, or delete files.",
    "SlowDown": "it is asked for too much. Try again later.",
}
GONE = ("NoSuchKey", "404", "NotFound")


class Bucket:
    """The client and the bucket's name, in the event loop of the first use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening = asyncio.Lock()
        self._client: Any = None
        self._closing = AsyncExitStack()
        self._closed = False

    @property
    def name(self) -> str:
        """The bucket's name."""
        return str(self._settings.s3_bucket)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Any]:
        """The client. Raises NotFound for an object that is not there, and StorageError for all else."""
        client = self._client or await self._open()
        failures = importlib.import_module("botocore.exceptions")
        network = importlib.import_module("aiohttp")
        try:
            yield client
        except failures.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in GONE:
                raise NotFound("There is no such file.") from error
            raise self._fault(code) from error
        except (failures.BotoCoreError, network.ClientError, OSError) as error:
            raise self._fault(type(error).__name__) from error

    async def aclose(self) -> None:
        """Let go of it."""
        async with self._opening:
            self._closed = True
            self._client = None
            await self._closing.aclose()

    def _fault(self, code: str) -> StorageError:
        """The error that callers see, with what to do."""
        logger.error("[S3] Failed: %s", code)
        if meaning := FAULTS.get(code):
            again_s = AGAIN_S if code == "SlowDown" else None
            return StorageError(f"The store of files (s3) refused: {meaning}", retry_after_s=again_s)
        if code in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
            return StorageError("The store of files (s3) has no key: set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.")
        where = self._settings.s3_endpoint or "Amazon S3"
        if code.endswith(("ConnectionError", "TimeoutError", "ConnectionClosedError", "PayloadError", "ReadError")):
            told = f"The store of files (s3) does not answer: start {where}, or correct S3_ENDPOINT."
            return StorageError(told, retry_after_s=AGAIN_S)
        again_s = AGAIN_S if code in ("InternalError", "ServiceUnavailable", "500", "503") else None
        return StorageError(f"The store of files (s3) failed: {code or 'no reason given'}.", retry_after_s=again_s)

    async def _open(self) -> Any:
        async with self._opening:
            if self._closed:
                raise StorageError(CLOSED)
            if self._client is None:
                session = await asyncio.to_thread(_session, self._settings)
                self._client = await self._closing.enter_async_context(_made(session, self._settings))
            return self._client


def _session(settings: Settings) -> Any:
    """A session that has read its descriptions of the service. Blocks: it imports, and reads files."""
    importlib.import_module("aiobotocore.httpsession")
    session = importlib.import_module("aiobotocore.session").get_session()

    async def read() -> None:
        # Whatever a client needs to read is kept by the session, for the one that is made in the event loop.
        async with _made(session, settings):
            pass

    asyncio.run(read())
    return session


def _made(session: Any, settings: Settings) -> Any:
    """The client, to be entered."""
    config = importlib.import_module("aiobotocore.config").AioConfig
    secret = settings.s3_secret_access_key
    return session.create_client(
        "s3",
        region_name=settings.s3_region,
        endpoint_url=settings.s3_endpoint,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=config(
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            max_pool_connections=CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": TRIES},
            # Many servers do not know the checksums that Amazon's has come to take.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # A server of one's own has no names for its buckets.
            s3={"addressing_style": "path" if settings.s3_endpoint else "auto"},
        ),
    )

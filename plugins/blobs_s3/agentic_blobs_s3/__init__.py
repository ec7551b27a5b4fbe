"""Files in a bucket of any store that speaks S3."""

from agentic import BlobStore, NotConfigured, hookimpl
from agentic_blobs_s3.settings import Settings


@hookimpl
def agentic_settings() -> type[Settings]:
    """S3_BUCKET and what belongs to it."""
    return Settings


@hookimpl
def agentic_blob_stores(settings: Settings) -> BlobStore | NotConfigured:
    """The store ``s3``; it connects at the first use."""
    if settings.s3_bucket is None:
        return NotConfigured("s3", "Set S3_BUCKET to a bucket that is there, for example S3_BUCKET=agentic-files")
    from agentic_blobs_s3.store import S3Blobs

    return S3Blobs(settings)

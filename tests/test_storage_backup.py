"""The backup that docs/storage.md describes, made while a server is at work, and what is restored from it."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from agentic.testing.server import running_server
from tests.http_fixtures import Api, SharedOllama

DOCS = Path(__file__).parents[1] / "docs" / "storage.md"


def commands() -> tuple[str, str]:
    """What makes a backup, and what restores it: the first two blocks of the section."""
    section = DOCS.read_text("utf-8").partition("\n## Backups\n")[2].partition("\n## ")[0]
    making, restoring = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return making, restoring.splitlines()[0]


@pytest.mark.timeout(300)
def test_backup_of_a_server_at_work_holds_all_that_was_acknowledged_before_it(
    ollama: SharedOllama, shared_ollama: tuple[SharedOllama, str], data: Path, keys: dict[str, str]
) -> None:
    if shutil.which("sqlite3") is None:
        pytest.skip("sqlite3 is not installed (apt-get install sqlite3)")
    folder, key, settings = data.parent, keys["ann"], {"OLLAMA_HOST": shared_ollama[1]}
    making, restoring = commands()
    done = threading.Event()
    with running_server(settings, data_dir=data) as server:
        with Api(server, key) as api:
            session_id = api.chat("remember the number 7").headers["x-session-id"]
            before = api.conversation(session_id)
            text = b"The notice period is three months."
            file_id = api.post("/api/files/upload?wait=true", files={"file": ("contract.txt", text)}).json()["file_id"]

        def work() -> None:
            with Api(server, key) as other:
                while not done.wait(0.2):
                    other.chat("hello")

        thread = threading.Thread(target=work)
        thread.start()
        made = subprocess.run(["sh", "-ec", making], cwd=folder, capture_output=True, text=True, check=False)
        done.set()
        thread.join()
        # tar may tell of files that were there for a moment only.
        assert made.returncode == 0, made.stderr
        server.stop()
    (backup,) = (folder / "backups").iterdir()
    assert backup.stat().st_mode & 0o077 == 0
    subprocess.run(["sh", "-ec", f"backup={backup}\n{restoring}"], cwd=folder, check=True)
    with running_server(settings, data_dir=data) as server, Api(server, key) as api:
        assert api.conversation(session_id) == before
        assert api.get(f"/api/files/documents/{file_id}/content").content == text
        asked = {"query": "How long is the notice period?"}
        found = api.post("/api/files/search", json=asked)
        assert found.status_code == 200, found.text
        assert [one["file_id"] for one in found.json()["passages"]] == [file_id]

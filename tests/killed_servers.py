"""A server that is killed again and again while it takes in documents and answers, and what it has kept of that."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from agentic.testing.server import Server, running_server
from tests.http_fixtures import Api, eventually

UPLOADERS, TALKERS = 2, 2
PAUSE_S = 0.1
LEAST = 3
"""What must have been acknowledged of each kind in a round before its server is killed."""
WITHIN_S = 120.0


@dataclass
class Acknowledged:
    """What the server has said it has: documents by id with their text, and runs with session and question."""

    documents: dict[str, str] = field(default_factory=dict)
    runs: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass
class Verdict:
    """What became of it: ``lost`` is not there, ``corrupt`` is not what it was, or left over from a kill."""

    documents: int
    runs: int
    lost: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing is lost and nothing corrupt."""
        return not (self.lost or self.corrupt)


class Killing:
    """Rounds over one data folder, as one user. ``settings`` are by their environment names, see ``running_server``."""

    def __init__(
        self,
        settings: Mapping[str, str],
        data: Path,
        key: str,
        *,
        path: Sequence[Path] = (),
        arguments: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        self._settings = settings
        self._data = data
        self._key = key
        self._path = path
        self._arguments = arguments
        self._random = random.Random(seed)
        self._rounds = 0
        self.acknowledged = Acknowledged()

    def round(self) -> None:
        """Start a server, wait until it has caught up, and kill it under load, at some moment."""
        self._rounds += 1
        with self._served() as (server, api):
            before = set(self.acknowledged.documents)
            # One that is cut short three times has failed, as it may be what ends servers.
            caught_up = eventually(lambda: before <= _of_status(api, "ready"), WITHIN_S)
            assert caught_up, f"not taken in: {before - _of_status(api, 'ready')}"
            started = Acknowledged(dict(self.acknowledged.documents), dict(self.acknowledged.runs))
            work = [(self._upload, n) for n in range(UPLOADERS)] + [(self._talk, n) for n in range(TALKERS)]
            threads = [threading.Thread(target=self._keep_on, args=(server, *one)) for one in work]
            for thread in threads:
                thread.start()
            try:
                assert eventually(lambda: self._has_more_than(started), WITHIN_S), server.stderr[-2000:]
                time.sleep(self._random.uniform(0, 0.5))
            finally:
                server.stop(signal.SIGKILL)
                for thread in threads:
                    thread.join()

    def check(self) -> Verdict:
        """Start a server, let it come to rest, and look at all that was ever acknowledged, and at what is left over."""
        verdict = Verdict(len(self.acknowledged.documents), len(self.acknowledged.runs))
        with self._served() as (server, api):
            if not eventually(lambda: not _of_status(api, "indexing"), WITHIN_S):
                verdict.corrupt.append(f"still indexing: {sorted(_of_status(api, 'indexing'))}")
            shown = _documents(api)
            verdict.corrupt += [
                f"{one['file_id']} failed: {one['error']}" for one in shown if one["status"] == "failed"
            ]
            known = {one["file_id"]: one for one in shown}
            for file_id, text in self.acknowledged.documents.items():
                _check_document(api, verdict, file_id, text, known.get(file_id))
            for run_id, (session_id, question) in self.acknowledged.runs.items():
                _check_run(api, verdict, run_id, session_id, question)
            files = [one.name for one in (self._data / "files").rglob("doc_*") if "uploads" in one.parts]
            if len(files) != len(shown):
                verdict.corrupt.append(f"{len(files)} files of {len(shown)} documents")
        # After its end: some stores serve one process at a time.
        left = server.run("doctor", "--orphans")
        if left.returncode or "left over: nothing" not in left.stdout:
            verdict.corrupt.append(f"left over: {left.stdout}{left.stderr}")
        reading = [one for one in (self._data / "reading").rglob("*") if one.is_file()]
        verdict.corrupt += [f"left over: {one.name}" for one in reading]
        return verdict

    @contextmanager
    def _served(self) -> Iterator[tuple[Server, Api]]:
        with (
            running_server(self._settings, path=self._path, data_dir=self._data, arguments=self._arguments) as server,
            Api(server, self._key) as api,
        ):
            yield server, api

    def _has_more_than(self, before: Acknowledged) -> bool:
        documents = len(self.acknowledged.documents) - len(before.documents)
        runs = len(self.acknowledged.runs) - len(before.runs)
        return documents >= LEAST and runs >= LEAST

    def _keep_on(self, server: Server, work: Callable[[Api, str], None], worker: int) -> None:
        """Do it again and again until the server is gone."""
        with Api(server, self._key) as api:
            number = 0
            while True:
                number += 1
                try:
                    work(api, f"{self._rounds}-{worker}-{number}")
                except httpx.TransportError:
                    return
                time.sleep(PAUSE_S)

    def _upload(self, api: Api, name: str) -> None:
        text = f"This is document {name}.\nSLOW\nend"
        response = api.post("/api/files/upload", files={"file": (f"{name}.txt", text.encode())}, timeout=60)
        if response.status_code == 200:
            self.acknowledged.documents[response.json()["file_id"]] = text

    def _talk(self, api: Api, name: str) -> None:
        question = f"What is {name}?"
        response = api.chat(question, stream=name.endswith(("1", "3", "5", "7", "9")))
        if response.status_code == 200 and (not response.text.startswith("data:") or "[DONE]" in response.text):
            self.acknowledged.runs[response.headers["x-run-id"]] = (response.headers["x-session-id"], question)


def _check_document(api: Api, verdict: Verdict, file_id: str, text: str, shown: Mapping[str, Any] | None) -> None:
    if shown is None:
        verdict.lost.append(f"document {file_id}")
        return
    content = api.get(f"/api/files/documents/{file_id}/content")
    if content.status_code != 200 or content.text != text:
        verdict.corrupt.append(f"document {file_id}: its content is {content.status_code} {content.text[:40]!r}")
    asked = {"query": text.splitlines()[0], "documents": [file_id]}
    found = api.post("/api/files/search", json=asked).json().get("passages", [])
    if {one["file_id"] for one in found} != {file_id} or not shown["chunks"]:
        verdict.corrupt.append(f"document {file_id}: is not found by its text")


def _check_run(api: Api, verdict: Verdict, run_id: str, session_id: str, question: str) -> None:
    conversation = api.get(f"/api/conversations/{session_id}")
    if conversation.status_code != 200:
        verdict.lost.append(f"conversation {session_id}")
        return
    messages = conversation.json()["messages"]
    told = [(one["role"], bool(one.get("incomplete"))) for one in messages]
    if told != [("user", False), ("assistant", False)] or messages[0]["content"] != question:
        verdict.corrupt.append(f"conversation {session_id}: {told}")
    run = api.get(f"/api/runs/{run_id}")
    if run.status_code != 200:
        verdict.lost.append(f"run {run_id}")
    elif run.json()["events"][-1]["type"] != "run_finished":
        verdict.corrupt.append(f"run {run_id}: it has no end")


def _of_status(api: Api, status: str) -> set[str]:
    return {one["file_id"] for one in _documents(api) if one["status"] == status}


def _documents(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for page in range(1, 1000):
        shown = api.get("/api/files/documents", params={"page": page, "page_size": 200}).json()["documents"]
        if not shown:
            break
        found += shown
    return found

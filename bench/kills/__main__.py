"""``python -m bench.kills``: a server is killed again and again under load, and what it acknowledged is looked for.

The exit code is 1 where anything is lost or corrupt.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from agentic import VectorStore
from agentic.catalog.load import load
from agentic.catalog.settings import read_settings
from agentic.testing.ollama import ScriptedOllama
from agentic.testing.server import add_user, own_environment
from tests.http_fixtures import install
from tests.killed_servers import Killing, Verdict

SETTINGS = {"SERVER_LEASE_SECONDS": "1"}
FEW = "documents,chat,ollama,storage_sqlite,blobs_files"
TOLD = 20


def run(rounds: int, settings: Sequence[str], *, few: bool, seed: int, folder: Path) -> Verdict:
    """So many rounds over a new data folder, and the look at the end."""
    data = folder / "data"
    with ScriptedOllama().running() as address:
        given = {**SETTINGS, "OLLAMA_HOST": address, **dict(one.split("=", 1) for one in settings)}
        key = add_user("ann", role="admin", env=own_environment(given, data_dir=data), folder=folder)
        # The few are those of the tests: an indexer that is slow on purpose stands for all that index.
        path = [install(folder, "documents", "from tests.document_plugins import *\n")] if few else []
        arguments = ("--safe-mode", FEW) if few else ()
        killing = Killing(given, data, key, path=path, arguments=arguments, seed=seed)
        for number in range(1, rounds + 1):
            began = time.monotonic()
            killing.round()
            done = killing.acknowledged
            so_far = f"acknowledged so far: {len(done.documents)} documents, {len(done.runs)} runs"
            print(f"round {number} of {rounds}: {time.monotonic() - began:.1f} s; {so_far}", flush=True)
        verdict = killing.check()
        if not few:
            # A search finds by words too, which hides vectors that are gone.
            given |= {"DATA_DIR": str(data)}
            verdict.lost += asyncio.run(_without_vectors(killing.acknowledged.documents, given))
        return verdict


async def _without_vectors(documents: Collection[str], settings: Mapping[str, str]) -> list[str]:
    """Which of these the chosen store of vectors does not hold."""
    os.environ.update(settings)
    read = read_settings()
    store: VectorStore = load(read).choose("vector_store", read.vector_db_type, "VECTOR_DB_TYPE")
    held: set[str] = set()
    for scope in await store.scopes():
        held |= set(await store.collection(scope, embedder="any", dimensions=1).documents())
    await store.aclose()
    return [f"vectors of document {one} in {store.name}" for one in documents if one not in held]


def main() -> None:
    """Run it, and print what became of all that was acknowledged."""
    parser = argparse.ArgumentParser(prog="python -m bench.kills", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the moments at which the server is killed")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the server")
    parser.add_argument("--few", action="store_true", help="with the plugins of the tests instead of all")
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        verdict = run(asked.rounds, asked.set, few=asked.few, seed=asked.seed, folder=Path(folder))
    print(f"\n{asked.rounds} kills in {time.monotonic() - began:.0f} s\n")
    print("| acknowledged documents | acknowledged runs | lost | corrupt |\n|---|---|---|---|")
    print(f"| {verdict.documents} | {verdict.runs} | {len(verdict.lost)} | {len(verdict.corrupt)} |")
    for kind, found in (("lost", verdict.lost), ("corrupt", verdict.corrupt)):
        for one in found[:TOLD]:
            print(f"{kind}: {one}")
    sys.exit(0 if verdict.is_good else 1)


if __name__ == "__main__":
    main()

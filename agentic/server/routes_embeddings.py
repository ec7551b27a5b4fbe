"""``/v1/embeddings``: texts as vectors, of the embedders that are installed.

https://platform.openai.com/docs/api-reference/embeddings/create
"""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentic.errors import BadRequest
from agentic.kernel import Kernel
from agentic.messages import dump
from agentic.models.gauge import GUESS
from agentic.server.bodies import checked, read_object
from agentic.server.dialects.chat_body import Lenient
from agentic.server.sse import unless_left

MOST_TEXTS = 2048
BATCH = 64
"""Texts that an embedder is given at once: between two batches a client's leaving is noticed."""
OWN = "agentic"
"""The ``model`` under which the embedder of EMBEDDING_MODEL can be asked for, whatever it is."""
_TOKENS = (
    "only texts are taken: tokens are of one model's vocabulary, which this model has not. "
    "Send the texts themselves (LangChain: check_embedding_ctx_length=False)"
)


class EmbeddingRequest(Lenient):
    """The fields that are honoured; ``input_type`` is for models that tell questions from what answers them."""

    model: str | None = None
    input: str | list[Any]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    input_type: Literal["query", "passage"] = "passage"
    user: str | None = None


async def create_embeddings(request: Request) -> Response:
    """The vectors of texts, in OpenAI's format."""
    kernel: Kernel = request.app.state.kernel
    body = checked(EmbeddingRequest, read_object(await request.body()))
    texts = _texts(body.input)
    await kernel.identity.meter.check_tokens(request.state.principal)
    vectors = await unless_left(request.receive, _embedded(kernel, body, texts), "the vectors were")
    tokens = _tokens(texts)
    await kernel.identity.meter.spend(request.state.principal, tokens)
    answer = await asyncio.to_thread(_written, vectors, body.encoding_format, body.model or OWN, tokens)
    return Response(answer, media_type="application/json")


ROUTES = [Route("/v1/embeddings", create_embeddings, methods=["POST"])]


async def _embedded(kernel: Kernel, body: EmbeddingRequest, texts: list[str]) -> list[Any]:
    """Arrays of float32, one for each batch. Raises ModelError, and BadRequest for a size that the vectors have not."""
    wanted = body.model or ""
    embedder = await kernel.everything.indexes.embedders.named("" if wanted == OWN else wanted)
    if body.dimensions not in (None, embedder.dimensions):
        told = f"dimensions: this model's vectors have {embedder.dimensions}, and are not cut"
        raise BadRequest(f"{told}.", param="dimensions")
    starts = range(0, len(texts), BATCH)
    return [await embedder.embed(texts[start : start + BATCH], body.input_type) for start in starts]


def _texts(given: str | list[Any]) -> list[str]:
    """The texts. Raises BadRequest that names the one at fault."""
    texts = [given] if isinstance(given, str) else given
    if not texts:
        raise BadRequest("input: there is no text in it.", param="input")
    if not isinstance(given, str) and all(isinstance(one, int) for one in texts):
        raise BadRequest(f"input: {_TOKENS}.", param="input")
    if len(texts) > MOST_TEXTS:
        raise BadRequest(f"input: at most {MOST_TEXTS} texts at once; these are {len(texts)}.", param="input")
    for n, text in enumerate(texts):
        place = "input" if isinstance(given, str) else f"input.{n}"
        if not isinstance(text, str):
            raise BadRequest(f"{place}: {_TOKENS}.", param=place)
        if not text:
            raise BadRequest(f"{place}: an empty text has no vector.", param=place)
    return texts


def _tokens(texts: list[str]) -> int:
    """About how many tokens the texts are: embedders do not tell."""
    return sum(max(1, round(len(text.encode(errors="replace")) * GUESS)) for text in texts)


def _written(vectors: list[Any], form: str, model: str, tokens: int) -> bytes:
    """The answer's body."""
    rows = [row for batch in vectors for row in batch]
    written = [
        base64.b64encode(row.astype("<f4").tobytes()).decode() if form == "base64" else row.tolist() for row in rows
    ]
    data = [{"object": "embedding", "index": n, "embedding": one} for n, one in enumerate(written)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return dump({"object": "list", "data": data, "model": model, "usage": usage})

"""Kit for providers of models: :class:`ProviderConformance`. A plugin subclasses it in its own tests::

    class TestMyProvider(ProviderConformance):
        @pytest.fixture
        async def provider(self):
            provider = MyProvider("http://127.0.0.1:9")
            yield provider
            await provider.aclose()

The model behind it may be a scripted server or a real one; ``prompt`` and ``schema_prompt`` say what it is asked.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence

import jsonschema
import pytest

from agentic.errors import ModelNotFound, ModelUnavailable
from agentic.messages import Json, Message
from agentic.ports.model import ModelDelta, ModelInfo, ModelProvider, ModelRequest, Sampling

__all__ = ["ProviderConformance"]

SCHEMA: Json = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 40}, "big": {"type": "boolean"}},
    "required": ["city", "big"],
    "additionalProperties": False,
}


class ProviderConformance:
    """What every provider owes to the kernel. Override ``provider``; ``model`` and ``unreachable`` where it helps."""

    @pytest.fixture
    async def provider(self) -> ModelProvider:
        """The provider under test, with a model server that can be reached."""
        raise NotImplementedError("override the fixture `provider`")

    @pytest.fixture
    async def unreachable(self) -> ModelProvider | None:
        """The same provider with its server away; None where it has no server."""
        return None

    @pytest.fixture
    async def model(self, provider: ModelProvider) -> ModelInfo:
        """The model to ask: the default one, or the first that can chat."""
        chat = [info for info in await provider.models() if info.chat]
        return next((info for info in chat if info.default), chat[0])

    @pytest.fixture
    def prompt(self) -> str:
        """What the model is asked; its answer should be some words long."""
        return "Write three sentences about Paris."

    @pytest.fixture
    def schema_prompt(self) -> str:
        """What the model is asked where its answer must fit ``SCHEMA``: ``{"city": string, "big": boolean}``."""
        return "Name one city and say whether it is big. Answer in JSON with the keys city and big."

    async def test_models_have_ids_of_their_own_and_at_most_one_default(self, provider: ModelProvider) -> None:
        models = await provider.models()
        assert models
        assert len({info.id for info in models}) == len(models)
        assert sum(info.default for info in models) <= 1
        for info in models:
            assert info.id.strip()
            assert info.tool_mode in ("native", "schema", "text", "fit")
            assert info.context is None or info.context > 0

    async def test_health_is_none_when_it_can_answer(self, provider: ModelProvider) -> None:
        assert await provider.health() is None

    async def test_answer_ends_with_its_finish_and_tells_its_usage(
        self, provider: ModelProvider, model: ModelInfo, prompt: str
    ) -> None:
        deltas = await _ask(provider, model, prompt)
        assert "".join(delta.text for delta in deltas).strip()
        assert deltas[-1].finish in ("stop", "length")
        assert not any(delta.finish for delta in deltas[:-1]), "only the last delta finishes"
        used = [delta.usage for delta in deltas if delta.usage]
        assert used, "usage is told"
        assert used[-1].prompt > 0
        assert used[-1].completion > 0

    async def test_answers_side_by_side_are_whole(self, provider: ModelProvider, model: ModelInfo, prompt: str) -> None:
        for deltas in await asyncio.gather(*(_ask(provider, model, prompt) for _ in range(3))):
            assert deltas[-1].finish in ("stop", "length")

    async def test_closing_early_is_prompt_and_the_next_answer_is_whole(
        self, provider: ModelProvider, model: ModelInfo, prompt: str
    ) -> None:
        answer = provider.stream(_request(model.id, prompt))
        assert isinstance(answer, AsyncGenerator), "an answer can be closed"
        await asyncio.wait_for(anext(answer), 120)
        started = time.monotonic()
        await answer.aclose()
        assert time.monotonic() - started < 1
        assert (await _ask(provider, model, prompt))[-1].finish

    async def test_cancelling_is_prompt(self, provider: ModelProvider, model: ModelInfo, prompt: str) -> None:
        asking = asyncio.create_task(_ask(provider, model, prompt))
        await asyncio.sleep(0.01)
        asking.cancel()
        done, _ = await asyncio.wait([asking], timeout=1)
        assert done, "a cancelled answer ends within a second"
        # A quick model may have answered before it was cancelled; it must not turn the cancelling into an error.
        assert asking.cancelled() or asking.exception() is None

    async def test_unknown_model_is_not_found(self, provider: ModelProvider) -> None:
        with pytest.raises(ModelNotFound) as refusal:
            await _drain(provider, _request("no-such-model-4711", "Hello"))
        assert "no-such-model-4711" in refusal.value.message

    async def test_whole_conversation_is_taken(self, provider: ModelProvider, model: ModelInfo) -> None:
        messages = [
            Message("system", "Be brief."),
            Message("user", "Hello! 😀 é \u2028"),
            Message("assistant", "Hello."),
            Message("user", "Name a city."),
        ]
        deltas = await _drain(provider, ModelRequest(model=model.id, messages=messages))
        assert deltas[-1].finish in ("stop", "length")

    async def test_schema_is_obeyed(self, provider: ModelProvider, model: ModelInfo, schema_prompt: str) -> None:
        if not model.schema:
            pytest.skip("the model does not say that it obeys a schema")
        deltas = await _drain(provider, _request(model.id, schema_prompt, schema=SCHEMA))
        jsonschema.validate(json.loads("".join(delta.text for delta in deltas)), SCHEMA)

    async def test_server_that_is_away_is_unavailable(self, unreachable: ModelProvider | None) -> None:
        if unreachable is None:
            pytest.skip("the fixture `unreachable` is not given")
        fault = await unreachable.health()
        assert fault, "health says what is wrong and what to do"
        with pytest.raises(ModelUnavailable) as refusal:
            await unreachable.models()
        assert refusal.value.message.strip()
        with pytest.raises(ModelUnavailable):
            await _drain(unreachable, _request("any", "Hello"))
        await unreachable.aclose()

    async def test_closing_twice_is_fine(self, provider: ModelProvider) -> None:
        await provider.aclose()
        await provider.aclose()


def _request(model: str, text: str, *, schema: Json | None = None) -> ModelRequest:
    sampling = Sampling(temperature=0, max_tokens=200, seed=1)
    return ModelRequest(model=model, messages=[Message("user", text)], schema=schema, sampling=sampling)


async def _ask(provider: ModelProvider, model: ModelInfo, text: str) -> Sequence[ModelDelta]:
    return await _drain(provider, _request(model.id, text))


async def _drain(provider: ModelProvider, request: ModelRequest) -> Sequence[ModelDelta]:
    deltas = [delta async for delta in provider.stream(request)]
    assert deltas, "an answer has at least one delta"
    return deltas

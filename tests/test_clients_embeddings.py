"""OpenAI's embeddings through the openai client, with an embedder behind a server and with one of this process."""

from __future__ import annotations

import base64
import math
from array import array
from typing import Any

import openai
import pytest

from tests.http_fixtures import Api, error_of


@pytest.mark.parametrize(
    ("body", "param", "told"),
    [
        ({}, "input", "Field required"),
        ({"input": []}, "input", "no text"),
        ({"input": ""}, "input", "empty"),
        ({"input": ["a", ""]}, "input.1", "empty"),
        ({"input": [1, 2, 3]}, "input", "only texts are taken"),
        ({"input": [[1, 2], [3]]}, "input.0", "only texts are taken"),
        ({"input": ["a", 7]}, "input.1", "only texts are taken"),
        ({"input": ["a"] * 2049}, "input", "at most 2048"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format", "float"),
        ({"input": "a", "dimensions": 3}, "dimensions", "have 8"),
        ({"input": "a", "dimensions": 0}, "dimensions", "greater"),
        ({"input": "a", "input_type": "poem"}, "input_type", "query"),
    ],
)
def test_broken_request_is_refused_with_the_place_of_the_fault(
    ann: Api, body: dict[str, Any], param: str, told: str
) -> None:
    answer = ann.post("/v1/embeddings", json={"model": "nomic", **body})
    assert answer.status_code == 400
    error = error_of(answer.json())
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert told in error["message"]


@pytest.mark.parametrize("model", ["gpt-9", "qwen3:8b"], ids=["no model", "a model that only chats"])
def test_model_that_does_not_embed_is_not_found(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.embeddings.create(model=model, input="a")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_texts_become_vectors_in_their_order(client: openai.OpenAI) -> None:
    texts = ["the red house", "the red boat", "zebras"] * 40
    answer = client.embeddings.create(model="nomic", input=texts)
    assert [one.index for one in answer.data] == list(range(120))
    assert {len(one.embedding) for one in answer.data} == {8}
    assert answer.data[0].embedding == answer.data[117].embedding
    assert math.isclose(sum(value * value for value in answer.data[0].embedding), 1, abs_tol=1e-5)
    assert (answer.model, answer.object) == ("nomic", "list")
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 120


def test_base64_holds_the_same_floats(ann: Api) -> None:
    def embedding(form: str) -> Any:
        answer = ann.post("/v1/embeddings", json={"model": "nomic", "input": "a house", "encoding_format": form})
        return answer.json()["data"][0]["embedding"]

    packed = array("f", base64.b64decode(embedding("base64")))
    assert list(packed) == pytest.approx(embedding("float"))


def test_own_dimensions_may_be_asked_for(client: openai.OpenAI) -> None:
    assert len(client.embeddings.create(model="nomic", input="a", dimensions=8).data[0].embedding) == 8


@pytest.mark.parametrize("model", ["agentic", ""])
def test_servers_own_embedder_answers_under_the_servers_name(client: openai.OpenAI, model: str) -> None:
    near, like, far = (
        client.embeddings.create(model=model, input=text).data[0].embedding
        for text in ("a small cat", "a little kitten", "the interest rate of the bank")
    )

    def nearness(one: list[float], other: list[float]) -> float:
        return sum(a * b for a, b in zip(one, other, strict=True))

    assert nearness(near, like) > nearness(near, far)


def test_key_without_the_scope_is_refused(ann: Api) -> None:
    key = ann.post("/api/keys", json={"name": "reader", "scopes": ["read"]}).json()["key"]
    answer = ann.post(
        "/v1/embeddings", json={"model": "nomic", "input": "a"}, headers={"Authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 403
    assert error_of(answer.json())["code"] == "forbidden"

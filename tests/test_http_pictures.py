"""Pictures: given to models that see, refused for those that do not, and never fetched from anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http_fixtures import Api, SharedOllama, error_of

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SEEN = f"data:image/png;base64,{PNG}"


def picture(url: str, role: str = "user") -> list[dict[str, Any]]:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    return [{"role": role, "content": parts}]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/cat.png",
        "https://example.org/cat.png",
        "file:///etc/passwd",
        "data:text/html;base64,PGI+",
        "data:image/png,plain",
        "data:image/png;base64,not*base64",
        "data:image/png;base64,abcde",
        "data:image/png;base64,",
        "data:image/png;base64, \n",
        "data:image/png;base64,abcd====",
        "data:image/png;base64,iVBO_-==",
        "data:image/png;;base64,iVBO",
        "data:image/png;x=http://127.0.0.1/,;base64,iVBO",
        "data:;base64,iVBO",
        "data:image/;base64,iVBO",
        "",
    ],
)
def test_what_is_no_picture_in_the_message_itself_is_refused(ann: Api, ollama: SharedOllama, url: str) -> None:
    answer = ann.chat(picture(url), model="seeing")
    assert answer.status_code == 400, answer.text
    assert error_of(answer.json())["param"] == "messages.0.content.1.image_url.url"
    assert not ollama.chats


def test_picture_for_a_model_that_does_not_see_is_refused(ann: Api, ollama: SharedOllama) -> None:
    answer = ann.chat(picture(SEEN), model="qwen3:8b")
    assert answer.status_code == 400
    assert "qwen3:8b" in error_of(answer.json())["message"]
    assert not ollama.chats


def test_picture_beside_an_assistants_words_is_refused(ann: Api) -> None:
    answer = ann.chat([*picture(SEEN, "assistant"), {"role": "user", "content": "And?"}], model="seeing")
    assert error_of(answer.json())["param"] == "messages.0.content.1"


@pytest.mark.parametrize(
    "url",
    [
        f"DATA:Image/PNG;BASE64,{PNG}",
        f"data:image/png;name=a.png;charset=utf-8;base64,{PNG}",
        f" data:image/png;base64,\n{PNG[:76]}\r\n{PNG[76:]}\n",
    ],
)
def test_picture_is_taken_in_the_other_spellings_of_its_url(ann: Api, ollama: SharedOllama, url: str) -> None:
    assert ann.chat(picture(url), model="seeing").status_code == 200
    assert ollama.chats[-1]["messages"][0]["images"] == [PNG]


def test_picture_reaches_a_model_that_sees_also_in_the_next_turn(ann: Api, ollama: SharedOllama) -> None:
    first = ann.chat(picture(SEEN), model="seeing")
    assert first.status_code == 200, first.text
    ann.chat([{"role": "user", "content": "And its colour?"}], model="seeing", session_id=first.json()["session_id"])
    asked = ollama.chats[-1]["messages"]
    assert asked[0]["content"] == "What is this?"
    assert asked[0]["images"] == [PNG]
    assert "images" not in asked[-1]

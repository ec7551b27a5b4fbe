"""How a request is built: its parts, what joins them, what it points at; quotations, code and data count as one."""

from __future__ import annotations

import time

import pytest

from agentic.fitness.shape import read_shape
from agentic.messages import Message
from agentic.ports.agent import Shape

BEFORE = (Message("user", "What is the weather in Rome?"), Message("assistant", "Sunny."))


@pytest.mark.parametrize("text", ["", " \n", "\x00", "???", "。", "\ud800", "[[[{{{", '"""""', "``````"])
def test_text_without_words_has_no_parts(text: str) -> None:
    shape = read_shape(text)
    assert (shape.targets, shape.joins, shape.then, shape.tool) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    "text", ["who is the " * 400, "a, " * 1300, "[{" * 2000, '"' * 4000, "x,y\n" * 1000, "don't " * 600, "```" * 1300]
)
def test_reading_a_long_text_takes_no_longer_than_a_person_notices(text: str) -> None:
    began = time.process_time()
    read_shape(text)
    assert time.process_time() - began < 0.2


@pytest.mark.parametrize(
    ("text", "fact", "value"),
    [
        ("Weather in Rome, Oslo and Bern", "targets", 3),
        ("Wetter in Rom, Oslo und Bern", "targets", 3),
        ("北京、上海和广州的天气", "targets", 3),
        ("Is it cold? Is it wet?", "questions", 2),
        ("Find the capital, then its population", "then", 1),
        ("Finde die Hauptstadt, danach ihre Einwohnerzahl", "then", 1),
        ("Find the capital, then its population", "points_back", 1),
        ("Compare Rome with Oslo", "apart", 1),
        ("What is the capital of the country that won the cup?", "nested", 1),
        ("Do this:\n1. add 2 and 3\n2. look up Oslo", "bullets", 2),
        ("Well - no", "bullets", 0),
        ("Read https://example.com/a and https://example.com/b", "addresses", 2),
        ("Run ```print(1)```", "code", True),
        ("Average of name,age\nAnn,3\nBo,5", "data", True),
        ("What is 12 * 3?", "formula", True),
        ("Don't search the web, just tell me", "refuses_tools", True),
        ("Search the web", "refuses_tools", False),
        ("Hello there", "small_talk", True),
        ("Okra recipes", "small_talk", False),
    ],
)
def test_facts_are_read(text: str, fact: str, value: object) -> None:
    assert getattr(read_shape(text), fact) == value


def test_what_is_quoted_is_not_what_is_asked() -> None:
    assert read_shape('Translate "first this, then that, and compare both" into French').then == 0


@pytest.mark.parametrize("text", ["And in Paris?", "now divide that by 3", "why?"])
def test_short_request_may_lean_on_what_was_said(text: str) -> None:
    assert read_shape(text, BEFORE).follows_up
    assert not read_shape(text).follows_up


def test_answer_alone_is_nothing_to_follow() -> None:
    assert not read_shape("And in Paris?", [Message("system", "Be brief.")]).follows_up


def test_shape_of_nothing_is_the_default() -> None:
    assert read_shape("") == Shape()

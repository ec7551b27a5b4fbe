"""Its bid: above the fittest tool where several independent things are asked for, else well below."""

from __future__ import annotations

import pytest

from agentic import Fit
from agentic.testing.runs import make_task
from agentic_plan_execute.bid import bid
from agentic_plan_execute.clauses import clauses

REACTS = 0.1 + 0.85 * 0.6
FIT = (Fit("weather", 0.6),)


@pytest.mark.parametrize(
    "text",
    [
        "What is the weather in Paris and also the population of Rome?",
        "Compare the weather in Paris and the weather in Rome",
        "Please find:\n- the weather in Paris\n- the population of Rome\n- 17 * 23",
        "Search the weather, analyze this data, and retrieve my documents",
        "Give me both the weather in Paris and the height of Mont Blanc.",
    ],
)
def test_several_independent_things_are_its_own(text: str) -> None:
    found = bid(make_task(text, fit=FIT))
    assert found.fitness > REACTS
    assert "things at once" in found.reason


@pytest.mark.parametrize(
    "text",
    [
        "What is the weather in Paris?",
        "Find the capital of France, then its population, and also the area of that city",
        "First look up the rate; after that convert 5 dollars; next tell me both",
        "How much is 3 + 4?",
        "Hello",
    ],
)
def test_one_thing_or_one_after_another_is_for_others(text: str) -> None:
    assert bid(make_task(text, fit=FIT)).fitness < REACTS


def test_where_the_client_settles_the_calls_or_no_tool_is_there_it_bids_low() -> None:
    assert bid(make_task("a b and also c d", tool_choice="required", fit=FIT)).fitness == 0.1
    assert bid(make_task("a b and also c d")).fitness == 0.05


def test_clauses_are_told_apart_and_code_is_left_whole() -> None:
    assert clauses("What is 1+1, and also 2.5*2?\n- the end; 3) really") == [
        "What is 1+1",
        "2.5*2",
        "the end",
        "really",
    ]
    assert clauses("Run ```a and b``` and c") == ["Run ```a and b``` and c"]
    assert clauses("  ") == clauses("") == []

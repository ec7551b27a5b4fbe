"""Its bid: above an agent for one step after another where a tool helps and the work falls into parts, else below."""

from __future__ import annotations

from agentic import Fit, Shape
from agentic.testing.runs import make_task
from agentic_plan_execute.bid import bid
from agentic_plan_execute.clauses import clauses

FIT = (Fit("weather", 0.6),)


def bid_for(**shape: float) -> float:
    return bid(make_task("Compare Rome, Oslo and Bern", fit=FIT, read=lambda: Shape(**shape))).fitness  # type: ignore[arg-type]


def test_work_in_parts_is_its_own_and_its_reason_counts_them() -> None:
    assert bid_for(tool=0.9, parts=0.9) > 0.7
    found = bid(make_task("Compare Rome, Oslo and Bern", fit=FIT, read=lambda: Shape(targets=3, tool=0.9, parts=0.9)))
    assert "3 things side by side" in found.reason


def test_one_step_or_a_chain_is_for_others() -> None:
    assert bid_for(tool=0.9, parts=0.1) < 0.6
    assert "one step or a chain" in bid(make_task("Weather in Rome", fit=FIT, read=lambda: Shape(tool=0.9))).reason


def test_where_no_tool_helps_parts_change_nothing() -> None:
    assert bid_for(tool=0.05, parts=0.9) < 0.1


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

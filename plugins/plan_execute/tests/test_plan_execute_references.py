"""References to earlier results: filled in once, bounded, and never a way for strangers into a program."""

from __future__ import annotations

from typing import Any

import pytest

from agentic import ToolSpec
from agentic_plan_execute.plan import check
from agentic_plan_execute.references import LONGEST_WITHIN, filled, referred
from agentic_plan_execute.schemas import plan_schema
from agentic_plan_execute.state import Result, Step

TEXT = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
NUMBER = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
TOOLS = {
    "page": ToolSpec("page", "Reads a page", TEXT, untrusted=True),
    "code": ToolSpec("code", "Runs code", TEXT),
    "count": ToolSpec("count", "Counts", NUMBER),
}


def step(name: str, tool: str, given: dict[str, Any], *needs: str) -> Step:
    return Step(id=name, tool=tool, input=given, needs=list(needs))


def faults(*steps: Step, known: dict[str, Result] | None = None) -> dict[str, str]:
    return check(steps, TOOLS, known or {}).faults


def test_what_strangers_wrote_is_never_put_in_the_midst_of_other_text() -> None:
    page = step("s1", "page", {"q": "x"})
    assert "strangers" in faults(page, step("s2", "code", {"q": "print('{{s1}}')"}))["s2"]
    assert faults(page, step("s2", "code", {"q": " {{s1}} "})) == {}
    passed_on = step("s2", "code", {"q": "{{s1}}"})
    assert "strangers" in faults(page, passed_on, step("s3", "code", {"q": "x = {{s2}}"}))["s3"], "passed on"


def test_what_strangers_wrote_in_an_earlier_round_is_kept_apart_too() -> None:
    known = {"s1": Result(tool="page", input={"q": "x"}, content="'; evil()", error=False, round=1)}
    assert "strangers" in faults(step("s2", "code", {"q": "'{{s1}}'"}), known=known)["s2"]


def test_what_a_trusted_tool_found_may_stand_within_text() -> None:
    assert faults(step("s1", "code", {"q": "1"}), step("s2", "code", {"q": "1 + {{s1}}"})) == {}


def test_long_result_is_cut_within_text_and_whole_alone() -> None:
    found = {"s1": "x" * 50_000}
    assert filled({"q": "{{s1}}"}, found, TEXT) == {"q": "x" * 50_000}
    assert filled({"q": "a {{s1}} b"}, found, TEXT) == {"q": f"a {'x' * LONGEST_WITHIN} b"}
    assert len(filled({"q": "a {{s1}}" * 1000}, found, TEXT)["q"]) == 100_000


@pytest.mark.parametrize(("found", "put"), [("42", 42), ("many", "many"), ("[1", "[1")])
def test_result_alone_is_read_as_json_where_no_text_may_stand(found: str, put: Any) -> None:
    assert filled({"n": "{{s1}}"}, {"s1": found}, NUMBER) == {"n": put}
    assert filled({"q": "{{s1}}"}, {"s1": found}, TEXT) == {"q": found}


def test_braces_around_anything_else_are_left_alone() -> None:
    for text in ("{{ name }}", "{{}}", "{s1}", "{{ s1", "{{s1.x}}"):
        assert filled({"q": text}, {"s1": "42"}, TEXT) == {"q": text}
    assert referred({"q": "{{a}} {{b}} {{a}}", "deep": [{"x": "{{c}}"}]}) == ["a", "b", "c"]


def test_input_is_judged_by_the_tools_schema_but_for_what_is_not_known_yet() -> None:
    first = step("s1", "code", {"q": "1"})
    assert "n: 0 is less than" in faults(step("s1", "count", {"n": 0}))["s1"]
    assert "'n' is a required" in faults(step("s1", "count", {}))["s1"]
    assert faults(first, step("s2", "count", {"n": "{{s1}}"})) == {}


def test_step_that_needs_what_failed_earlier_is_at_fault() -> None:
    known = {"s1": Result(tool="code", input={}, content="Error", error=True, round=1)}
    assert "failed in an earlier round" in faults(step("s2", "code", {"q": "{{s1}}"}), known=known)["s2"]


def test_used_ids_are_given_anew_with_all_that_refers_to_them() -> None:
    known = {"s1": Result(tool="code", input={}, content="1", error=False, round=1)}
    steps = [step("s1", "code", {"q": "2"}), step("s2", "code", {"q": "{{s1}}"}, "s1")]
    checked = check(steps, TOOLS, known)
    assert [(one["id"], one["input"]["q"], one["needs"]) for one in checked.steps] == [
        ("s3", "2", []),
        ("s2", "{{s3}}", ["s3"]),
    ]


def test_definitions_of_two_tools_stay_apart_in_the_plans_schema() -> None:
    def spec(name: str, kind: str) -> ToolSpec:
        parameters = {"properties": {"x": {"$ref": "#/$defs/X"}}, "$defs": {"X": {"type": kind}}}
        return ToolSpec(name, name, parameters)

    schema = plan_schema([spec("a", "string"), spec("b", "integer")])
    assert schema["$defs"] == {"a.X": {"type": "string"}, "b.X": {"type": "integer"}}
    inputs = [one["properties"]["input"] for one in schema["properties"]["steps"]["items"]["anyOf"]]
    assert [one["properties"]["x"] for one in inputs] == [{"$ref": "#/$defs/a.X"}, {"$ref": "#/$defs/b.X"}]

"""What a person chooses, as the model of a request."""

from __future__ import annotations

import pytest

from agentic import BadRequest
from agentic.cli.choice import Choice


@pytest.mark.parametrize(
    ("choice", "value"),
    [
        (Choice(), "fallback"),
        (Choice("", None), "agentic"),
        (Choice("react"), "agentic/react"),
        (Choice(None, "m"), "m"),
        (Choice("react", "m"), "agentic/react@m"),
        (Choice(None, "agentic/react@m").with_agent("chat"), "agentic/chat@m"),
        (Choice(None, "agentic/react").with_agent("chat"), "agentic/chat"),
        (Choice("react", "m").with_model("agentic/chat"), "agentic/chat"),
        (Choice("react", "m").with_model("n"), "agentic/react@n"),
        (Choice("react", "m").with_model(None), "agentic/react"),
    ],
)
def test_a_choice_is_the_model_of_a_request(choice: Choice, value: str) -> None:
    assert choice.value("fallback") == value


def test_agent_and_model_cannot_both_name_an_agent() -> None:
    with pytest.raises(BadRequest, match="leave one out"):
        Choice("react", "agentic/chat")

"""What does not fit into a model's context is left out whole, oldest first, and told; nothing is cut unseen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agentic import Message, ModelDelta, ModelInfo, ToolCall, ToolSpec, Usage
from agentic.events import Event, Notice
from agentic.messages import ImagePart, TextPart
from agentic.models.gauge import GUESS, Gauge, size_of, size_of_one
from agentic.models.window import Window, level, part
from agentic.ports.model import ModelRequest
from tests.kernel_in_memory import ModelBench

BRIEF = Message("system", "Be brief.")
LONG = "word " * 200


class Told:
    """A log that keeps what it was told."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def emit(self, event: Event) -> None:
        assert isinstance(event, Notice)
        self.notices.append(event.text)

    note = emit


def turn(number: int, text: str = LONG) -> list[Message]:
    return [Message("user", f"question {number} {text}"), Message("assistant", f"answer {number} {text}")]


def talk(turns: int, text: str = LONG) -> list[Message]:
    """A conversation of that many whole turns under an instruction, and a last question."""
    return [BRIEF, *(message for n in range(turns) for message in turn(n, text)), Message("user", "and now?")]


def window(context: int | None, told: Told | None = None, **more: Any) -> Window:
    return Window(ModelInfo(id="m", context=context), Gauge(), told or Told(), **more)


def called(call_id: str, result: str) -> list[Message]:
    call = ToolCall(call_id, "look", {"at": "x"})
    return [
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", result, tool_call_id=call_id, name="look"),
    ]


def test_what_fits_is_given_as_it_is_and_nothing_is_told() -> None:
    told = Told()
    messages = talk(3)
    assert window(8000, told).fit(messages) is messages
    assert told.notices == []


def test_model_whose_context_is_not_known_is_given_everything() -> None:
    messages = talk(500)
    assert window(None).fit(messages) is messages


@pytest.mark.parametrize("turns", range(6, 30))
def test_oldest_turns_go_whole_and_instruction_and_question_stay(turns: int) -> None:
    told = Told()
    messages = talk(turns)
    kept = window(4000, told).fit(messages)
    assert kept[0] == BRIEF
    assert kept[-1] == messages[-1]
    assert list(kept[1:]) == messages[-(len(kept) - 1) :], "what is kept is the end of the conversation"
    assert kept[1].role == "user", "a turn is never parted"
    assert size_of(kept) * GUESS <= 4000 * 3 / 4
    if len(kept) < len(messages):
        left_out = len(messages) - len(kept)
        assert told.notices == [
            f"The conversation is longer than the model's context of 4,000 tokens: "
            f"its first {left_out} messages were left out."
        ]
    else:
        assert told.notices == []


def test_turns_are_left_out_by_the_block_so_that_the_beginning_stays_the_same_for_several_requests() -> None:
    beginnings = [window(4000).fit(talk(turns, "word " * 20))[1].text for turns in range(30, 90)]
    assert 2 < len(set(beginnings)) < len(beginnings) / 5


def test_calls_and_their_results_are_never_parted() -> None:
    waiting = [
        Message("user", "first"),
        Message("assistant", "", tool_calls=(ToolCall("r-1", "door", {}),)),
        Message("user", "said in between"),
        Message("tool", "open", tool_call_id="r-1", name="door"),
        Message("assistant", "It is open."),
    ]
    parted = part([BRIEF, *waiting, Message("user", "second")])
    assert [len(one) for one in parted.turns] == [5, 1]
    for turns in range(3, 12):
        messages = [*waiting, *(m for n in range(turns) for m in [Message("user", LONG), *called(f"c-{n}", LONG)])]
        kept = window(2000).fit([*messages, Message("user", "and now?")])
        calls = [call.id for message in kept for call in message.tool_calls]
        assert calls == [message.tool_call_id for message in kept if message.role == "tool"]


def test_call_that_never_came_to_a_result_does_not_hold_the_turns_together() -> None:
    open_call = Message("assistant", "", tool_calls=(ToolCall("r-1", "door", {}),))
    assert len(part([Message("user", "a"), open_call, Message("user", "b"), Message("user", "c")]).turns) == 3


def test_longest_results_of_the_turn_that_is_answered_are_cut_and_told() -> None:
    told = Told()
    short, long = "short " * 20, "long " * 20_000
    messages = [BRIEF, *turn(0), Message("user", "look"), *called("c-1", short), *called("c-2", long)]
    kept = window(4000, told).fit(messages)
    assert [message.role for message in kept] == ["system", "user", "assistant", "tool", "assistant", "tool"]
    assert kept[3].text == short
    assert kept[5].text.startswith("long long")
    assert kept[5].text.endswith("[Cut to fit the model's context: the beginning of 100,000 characters.]")
    assert size_of(kept) * GUESS <= 4000
    assert told.notices == [
        "The conversation is longer than the model's context of 4,000 tokens: its first 2 messages were left out.",
        "What tools have found is longer than the model's context of 4,000 tokens: the longest results were cut.",
    ]


def test_request_that_is_itself_too_long_is_given_whole_and_told() -> None:
    told = Told()
    question = Message("user", "word " * 20_000)
    assert window(4000, told).fit([BRIEF, question]) == [BRIEF, question]
    assert told.notices == [
        "The request is longer than the model's context of 4,000 tokens: the model may not have seen all of it."
    ]


def test_only_message_left_out_is_told_as_one() -> None:
    told = Told()
    window(1000, told).fit([Message("user", "word " * 3000), Message("user", "and now?")])
    assert told.notices[0].endswith("its first message was left out.")


def test_each_notice_is_told_once_a_run_and_again_when_more_is_left_out() -> None:
    told = Told()
    view = window(4000, told)
    view.fit(talk(12))
    view.fit(talk(12))
    assert len(told.notices) == 1
    view.fit(talk(30))
    assert len(told.notices) == 2


def test_tools_and_the_allowed_answer_take_their_part_of_the_room() -> None:
    tool = ToolSpec("look", "Look " * 200, {"type": "object", "properties": {}})
    messages = talk(6)
    assert len(window(4000).fit(messages, [tool] * 4)) < len(window(4000).fit(messages))
    assert len(window(4000, answer=10).fit(talk(7))) > len(window(4000, answer=2000).fit(talk(7)))


def test_client_that_allows_more_than_the_context_for_the_answer_leaves_half_of_it_to_the_conversation() -> None:
    assert window(4000, answer=100_000).room(()) == window(4000, answer=2000).room(())


def test_no_room_at_all_still_leaves_the_question() -> None:
    tool = ToolSpec("look", "Look " * 20_000, {"type": "object"})
    assert window(1000).fit(talk(3), [tool]) == [BRIEF, Message("user", "and now?")]


@pytest.mark.parametrize(
    ("sizes", "over", "longest"),
    [([], 10, 400), ([5000], 1000, 4000), ([5000, 3000], 3000, 2500), ([5000, 600], 1000, 4000), ([900], 9000, 400)],
)
def test_longest_results_are_cut_to_one_length(sizes: list[int], over: int, longest: int) -> None:
    assert level(sizes, over) == longest


def request(text: str) -> ModelRequest:
    return ModelRequest(model="m", messages=[Message("user", text)])


def test_what_a_model_has_counted_mends_the_guess() -> None:
    gauge = Gauge()
    text = "слово " * 500
    size = size_of([Message("user", text)])
    assert gauge.tokens("m", size) == round(size * GUESS)
    gauge.learn(request(text), 1500)
    assert gauge.tokens("m", size) == 1500
    assert gauge.tokens("other", size) == round(size * GUESS)
    gauge.learn(request(text), 3000)
    assert gauge.tokens("m", size) == 3000, "a rise is believed at once"
    gauge.learn(request(text), 1000)
    assert 2500 < gauge.tokens("m", size) < 3000, "a fall is not"


@pytest.mark.parametrize("counted", [0, 10, 390, 1_000_000])
def test_counts_that_cannot_be_right_teach_nothing(counted: int) -> None:
    gauge = Gauge()
    gauge.learn(request("word " * 1000), counted)
    assert gauge.tokens("m", 3500) == 1000


def test_count_of_a_prompt_that_may_have_been_cut_is_believed_as_a_rise_alone() -> None:
    gauge = Gauge()
    gauge.learn(request("word " * 2000), 2000, 2048)
    assert gauge.tokens("m", 3500) == 1000
    gauge.learn(request("word " * 1000), 2000, 2048)
    assert gauge.tokens("m", 3500) > 1300


def test_pictures_and_calls_have_a_size() -> None:
    picture = Message("user", (TextPart("see"), ImagePart("image/png", "AAAA")))
    assert size_of_one(picture) > 2000
    assert size_of(called("c", "x")) > size_of([Message("assistant"), Message("tool", "x")])


def answer(prompt: int) -> Sequence[ModelDelta]:
    return [ModelDelta("fine"), ModelDelta(finish="stop", usage=Usage(prompt, 1))]


async def test_model_handle_fits_every_call_and_learns_from_the_answers() -> None:
    bench = ModelBench(answer(2800), answer(2800), context=4000)
    await bench.complete(*talk(4))
    assert len(bench.requests[0].messages) == 10
    assert bench.events(Notice) == []
    await bench.complete(*talk(5))
    assert len(bench.requests[1].messages) < 12, "the model counts more tokens than was guessed"
    assert len(bench.events(Notice)) == 1


async def test_results_that_are_shown_without_a_model_are_not_cut() -> None:
    bench = ModelBench(context=1000, tool_mode="fit")
    found = "long " * 5000
    reply = await bench.complete(Message("user", "look"), *called("c-1", found))
    assert reply.text == found
    assert bench.requests == []
    assert bench.events(Notice) == []

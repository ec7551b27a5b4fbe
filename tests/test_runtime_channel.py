"""A run's log: stamped, ordered, drained in batches, and shut at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from agentic.errors import RunEnded
from agentic.events import (
    Entry,
    Event,
    Notice,
    RunFailed,
    RunFinished,
    TextDelta,
    ThinkingDelta,
    entry_from_json,
    entry_to_json,
)
from agentic.runtime.channel import Channel
from agentic.runtime.record import coalesce


def ended(channel: Channel) -> Channel:
    channel.close(channel.conclude(RunFinished("stop")))
    return channel


async def drained(channel: Channel) -> list[list[Event]]:
    return [[entry.event for entry in batch] async for batch in channel.batches()]


async def test_sealed_channel_refuses_what_the_agent_does_and_takes_what_the_kernel_saw() -> None:
    channel = Channel()
    channel.seal()
    with pytest.raises(RunEnded):
        channel.emit(TextDelta("late"))
    channel.note(Notice("seen"))
    assert [entry.event for entry in channel.entries] == [Notice("seen")]


async def test_nothing_comes_between_the_last_event_and_the_close() -> None:
    channel = Channel()
    channel.emit(TextDelta("a"))
    last = channel.conclude(RunFinished("stop"))
    with pytest.raises(RunEnded):
        channel.emit(TextDelta("late"))
    channel.note(Notice("late"))
    channel.close(last)
    channel.note(Notice("later still"))
    assert [entry.number for entry in channel.entries] == [1, 2]
    assert channel.entries[-1] is channel.last is last


async def test_last_event_may_be_made_anew_until_the_close() -> None:
    channel = Channel()
    channel.conclude(RunFinished("stop"))
    channel.close(channel.conclude(RunFailed(503, "disk full", "storage_error")))
    [batch] = await drained(channel)
    assert [event.type for event in batch] == ["run_failed"]


async def test_events_are_numbered_from_one_on_and_timed_in_order() -> None:
    channel = Channel()
    for text in "abc":
        channel.emit(TextDelta(text))
    ended(channel)
    assert [entry.number for entry in channel.entries] == [1, 2, 3, 4]
    times = [entry.at for entry in channel.entries]
    assert times == sorted(times)
    assert times[0] >= 0


async def test_one_batch_holds_all_that_has_come_since_the_one_before() -> None:
    channel = Channel()
    channel.emit(TextDelta("a"))
    channel.emit(TextDelta("b"))
    batches = channel.batches()
    assert len(await anext(batches)) == 2
    channel.emit(TextDelta("c"))
    ended(channel)
    assert [entry.event.type for entry in await anext(batches)] == ["text_delta", "run_finished"]
    with pytest.raises(StopAsyncIteration):
        await anext(batches)


async def test_reader_waits_for_events_that_come_later() -> None:
    channel = Channel()
    reading = asyncio.create_task(drained(channel))
    await asyncio.sleep(0)
    channel.emit(TextDelta("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    ended(channel)
    assert [event.type for batch in await reading for event in batch] == ["text_delta", "run_finished"]


async def test_reading_a_channel_again_after_its_end_gives_nothing() -> None:
    channel = ended(Channel())
    assert len(await drained(channel)) == 1
    assert await drained(channel) == []


async def test_silence_is_told_by_empty_batches_at_first_and_then_again() -> None:
    channel = Channel()
    batches = channel.batches(quiet_s=0.02)
    assert await anext(batches) == []
    started = asyncio.get_running_loop().time()
    assert await anext(batches) == []
    assert asyncio.get_running_loop().time() - started >= 0.015
    ended(channel)
    assert len(await anext(batches)) == 1


async def test_silence_is_not_told_where_nobody_asked() -> None:
    channel = Channel()
    reading = asyncio.create_task(drained(channel))
    await asyncio.sleep(0.03)
    ended(channel)
    assert len(await reading) == 1


async def test_reader_that_goes_away_leaves_the_writer_alone() -> None:
    channel = Channel()
    reading = asyncio.create_task(drained(channel))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    channel.emit(TextDelta("a"))
    assert len(channel.entries) == 1


def entries(*events: Event) -> list[Entry]:
    return [Entry(number, number / 10, event) for number, event in enumerate(events, 1)]


def stretches(joined: Sequence[Entry]) -> list[tuple[int, str, str]]:
    return [(entry.number, entry.event.type, getattr(entry.event, "text", "")) for entry in joined]


def test_nothing_coalesces_to_nothing() -> None:
    assert coalesce([]) == []


def test_neighbouring_deltas_of_one_kind_become_one_under_the_first_number() -> None:
    log = entries(TextDelta("a"), TextDelta("b"), ThinkingDelta("c"), ThinkingDelta("d"), TextDelta("e"))
    assert stretches(coalesce(log)) == [
        (1, "text_delta", "ab"),
        (3, "thinking_delta", "cd"),
        (5, "text_delta", "e"),
    ]


def test_other_events_part_stretches_and_stay_as_they_are() -> None:
    log = entries(Notice("x"), TextDelta("a"), Notice("y"), TextDelta("b"), TextDelta("c"), RunFinished("stop"))
    joined = coalesce(log)
    assert stretches(joined) == [
        (1, "notice", "x"),
        (2, "text_delta", "a"),
        (3, "notice", "y"),
        (4, "text_delta", "bc"),
        (6, "run_finished", ""),
    ]
    assert joined[0] is log[0]
    assert coalesce(log) == joined, "the log itself is not changed"


def test_coalesced_log_can_be_stored_and_read() -> None:
    joined = coalesce(entries(TextDelta("a"), TextDelta("b"), RunFinished("length")))
    assert [entry_from_json(entry_to_json(entry)) for entry in joined] == joined

"""Files that runs make: their names, their places, and their links in the answer."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from agentic import File, NotFound, Run, StorageError, Tool, ToolCall, ToolContext, tool
from agentic.errors import RunEnded
from agentic.events import Entry, FileAdded, RunFinished, ToolCallFinished
from agentic.identity.limits import Meter
from agentic.models.handle import Wishes
from agentic.runtime.budget import Limits
from agentic.runtime.channel import Channel
from agentic.runtime.files import RunFiles, file_key, file_name, links, shown_as
from agentic.runtime.spaces import NoBlobs, ScopedBlobs
from agentic.testing.memory_blobs import MemoryBlobs, pieces_of, whole
from agentic.testing.memory_storage import MemoryStorage
from tests.file_maker import Maker, make_file
from tests.kernel_in_memory import ALICE, House, said
from tests.scopes import scope_over

RUN = "run_0123456789abcdef0123"


def run_files(blobs: Any = None) -> tuple[RunFiles, Channel]:
    channel = Channel()
    return RunFiles(blobs or MemoryBlobs(), RUN, channel, partial(Meter(MemoryStorage()).storing, ALICE)), channel


def made(*files: tuple[str, str]) -> list[Entry]:
    return [
        Entry(n, 0.0, FileAdded(File(name, "x/y", 1, f"/api/runs/{RUN}/files/{address}")))
        for n, (name, address) in enumerate(files, 1)
    ]


# Names


@pytest.mark.parametrize(
    ("hostile", "name"),
    [
        ("", "file"),
        (".", "file"),
        ("..", "file"),
        ("/", "file"),
        (" . . ", "file"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\data\\a.csv", "a.csv"),
        ("C:a.csv", "C_a.csv"),
        ("a/b/", "b"),
        (".bashrc", "bashrc"),
        ("a\x00b\n\t\x7f\x85c", "a_b____c"),
        ("a\u202egnp.exe", "a_gnp.exe"),
        ("a\u200b\u2066\ufeff.txt", "a___.txt"),
        ("half \ud83d.txt", "half _.txt"),
        ('what?*<>|":.txt', "what_______.txt"),
        ("e\u0301.txt", "é.txt"),
        ("Plan B.tar.gz", "Plan B.tar.gz"),
        ("漢字 😀.png", "漢字 😀.png"),
        ("end. ", "end"),
        ("x" * 500 + ".png", "x" * 116 + ".png"),
        ("x" * 500, "x" * 120),
        ("x." + "y" * 500, "x." + "y" * 118),
        ("x" * 119 + " yz", "x" * 119),
    ],
)
def test_hostile_name_becomes_a_plain_one(hostile: str, name: str) -> None:
    assert file_name(hostile) == name


def test_name_that_was_made_stays_as_it_is() -> None:
    chance = random.Random(3)
    for _ in range(5000):
        name = file_name(
            "".join(chance.choices("aB. -_/\\:\x00é\u0301\u1112\u1161\u202e\ud800😀", k=chance.randint(0, 140)))
        )
        assert file_name(name) == name
        assert 0 < len(name) <= 120 and len(name.encode()) <= 480
        assert file_key(RUN, name) == f"runs/{RUN}/{name}"


@pytest.mark.parametrize("run_id", ["", "run_1", RUN.upper(), f"{RUN}/..", f"../{RUN}", f"{RUN}\n", "x" * 24])
def test_what_is_no_run_has_no_files(run_id: str) -> None:
    with pytest.raises(NotFound):
        file_key(run_id, "a.txt")


@pytest.mark.parametrize("name", ["", ".", "..", "../a.txt", "a/b", "a\\b", "a\x00", "a ", "e\u0301", "x" * 121])
def test_what_is_no_name_has_no_file(name: str) -> None:
    with pytest.raises(NotFound):
        file_key(RUN, name)


async def test_name_given_already_gets_a_number_and_stays_within_its_length() -> None:
    blobs = MemoryBlobs()
    files, _ = run_files(blobs)
    long = "x" * 116 + ".csv"
    names = ["a.csv", "a.csv", "a-2.csv", "a.csv", "noext", "noext", "b/a.csv", long, long]
    kept = [(await files.save(name, "text/csv", b"%d" % n)).name for n, name in enumerate(names)]
    numbered = ["a.csv", "a-2.csv", "a-2-2.csv", "a-3.csv", "noext", "noext-2", "a-4.csv", long, "x" * 114 + "-2.csv"]
    assert kept == numbered
    assert [await whole(blobs, file_key(RUN, name)) for name in kept] == [b"%d" % n for n in range(len(names))]


async def test_names_given_at_once_stay_apart() -> None:
    files, _ = run_files()
    kept = await asyncio.gather(*(files.save("a.csv", "text/csv", b"x") for _ in range(9)))
    assert len({file.name for file in kept}) == 9


@pytest.mark.parametrize(
    ("name", "media_type", "kept"),
    [
        ("plot", "image/png", "plot.png"),
        ("plot.PNG", "image/png", "plot.PNG"),
        ("photo.jpeg", "image/jpeg", "photo.jpeg"),
        ("photo", "image/jpeg", "photo.jpg"),
        ("page.html", "image/png", "page.html.png"),
        ("drawing.svg", "image/svg+xml", "drawing.svg"),
        ("page.png", "text/html", "page.png"),
    ],
)
async def test_image_has_the_suffix_by_which_it_is_served(name: str, media_type: str, kept: str) -> None:
    files, _ = run_files()
    file = await files.save(name, media_type, b"x")
    assert (file.name, file.media_type) == (kept, media_type)


def test_nothing_that_can_run_is_shown_in_place() -> None:
    for name in ("a.svg", "a.html", "a.xml", "a.pdf", "a.js", "a", "png", "a.png.html", "a.swf"):
        assert shown_as(name) is None


async def test_file_is_told_as_an_event_with_its_address() -> None:
    files, channel = run_files()
    file = await files.save("Plan (B) #1.txt", "text/plain", b"12345")
    assert file == File("Plan (B) #1.txt", "text/plain", 5, f"/api/runs/{RUN}/files/Plan%20%28B%29%20%231.txt")
    assert [entry.event for entry in channel.entries] == [FileAdded(file)]


async def test_file_that_comes_after_the_end_is_not_kept() -> None:
    blobs = MemoryBlobs()
    files, channel = run_files(blobs)
    channel.seal()
    with pytest.raises(RunEnded):
        await files.save("late.txt", "text/plain", b"x")
    assert await blobs.list("") == []


# Links


def test_file_that_the_answer_names_is_not_linked_again() -> None:
    entries = made(("a.csv", "a.csv"), ("my plot.png", "my%20plot.png"))
    address = f"/api/runs/{RUN}/files"
    assert links([], "") == links(entries, f"See [a]({address}/a.csv) and ![]({address}/my%20plot.png).") == ""
    assert links(entries, f"{address}/a.csv, {address}/my plot.png.") == "", "models write addresses as they are read"
    assert links(entries, f"It is at {address}/a.csv.") == f"![my plot.png]({address}/my%20plot.png)"


def test_longer_name_is_not_taken_for_a_shorter_one() -> None:
    entries = made(("data", "data"))
    for longer in ("data-2", "data.csv", "data%20b", "dataset"):
        assert links(entries, f"See /api/runs/{RUN}/files/{longer}") == f"[data](/api/runs/{RUN}/files/data)"
    for ended in ("data", "data.", "data)", "data, and", "data\n"):
        assert links(entries, f"See /api/runs/{RUN}/files/{ended}") == ""


def test_images_are_shown_and_names_break_no_link() -> None:
    entries = made(("a.webp", "a.webp"), ("b.svg", "b.svg"), ("x](http://evil) [`.txt", "c.txt"))
    address = f"/api/runs/{RUN}/files"
    assert links(entries, "done").splitlines() == [
        f"![a.webp]({address}/a.webp)",
        f"[b.svg]({address}/b.svg)",
        f"[x\\](http://evil) \\[\\`.txt]({address}/c.txt)",
    ]


# Runs


def asked(*calls: dict[str, Any], say: str = "Done.") -> str:
    return json.dumps({"calls": calls, "say": say})


async def test_answer_ends_with_links_to_what_it_does_not_name() -> None:
    house = House([Maker()], tools=[make_file])
    log = await house.log(asked({"name": "a.csv"}, {"name": "b.png", "media_type": "image/png"}, say="See {0}."))
    files = [event.file for event in log if isinstance(event, FileAdded)]
    assert [file.name for file in files] == ["a.csv", "b.png"]
    assert said(log) == f"See made {files[0].url}.\n\n![b.png]({files[1].url})"
    keys = [blob.key for blob in await house.blobs.list(f"spaces/{ALICE.id}/runs/")]
    assert [key.rpartition("/")[2] for key in keys] == ["a.csv", "b.png"]


async def test_answer_without_words_is_the_links_alone_and_is_stored() -> None:
    house = House([Maker()], tools=[make_file])
    live = await house.ask(asked({"name": "a.csv"}, say=""))
    await live.log()
    assert live.text.startswith("[a.csv](/api/runs/")
    assert (await house.conversation(live))[-1]["content"] == live.text


async def test_answer_that_a_schema_holds_to_its_form_gets_no_links() -> None:
    house = House([Maker()], tools=[make_file])
    log = await house.log(asked({"name": "a.csv"}, say="true"), wishes=Wishes(answer_schema={"type": "boolean"}))
    assert said(log) == "true"


async def test_run_that_hits_a_limit_links_what_it_has_made() -> None:
    house = House([Maker()], tools=[make_file], limits=Limits(seconds=0.3))
    log = await house.log(asked({"name": "a.csv", "hang": True}))
    assert log[-1] == RunFinished("length")
    assert "\n\n[a.csv](/api/runs/" in said(log)


async def test_cancelled_run_gets_no_links() -> None:
    house = House([Maker()], tools=[make_file])
    live = await house.ask(asked({"name": "a.csv", "hang": True}))
    while not any(isinstance(entry.event, FileAdded) for entry in live.channel.entries):  # noqa: ASYNC110
        await asyncio.sleep(0)
    live.cancel()
    assert (await live.log())[-1].event == RunFinished("cancelled")
    assert live.text == ""


@pytest.mark.parametrize("fault", ["The disk for files is full.", "No store of files is installed"])
async def test_tool_whose_file_cannot_be_stored_says_so_and_the_run_goes_on(fault: str) -> None:
    class FullBlobs(MemoryBlobs):
        async def put(self, key: str, stream: AsyncIterator[bytes]) -> int:
            raise StorageError(fault)

    @tool()
    async def save(ctx: ToolContext) -> str:
        """Save."""
        await ctx.save_file("a.csv", "text/csv", b"x")
        return "saved"

    async def act(run: Run) -> None:
        [result] = await run.tools.call([ToolCall("c", "save", {})])
        run.say(result.content)

    blobs = NoBlobs() if "installed" in fault else FullBlobs()
    tools: list[Tool] = [save]
    log = await House(act, tools=tools, blobs=blobs).log()
    assert isinstance(log[-1], RunFinished)
    assert fault in said(log)
    assert [event.error for event in log if isinstance(event, ToolCallFinished)] == [True]
    assert not any(isinstance(event, FileAdded) for event in log)


# Scopes


@pytest.mark.parametrize("key", ["", ".", "..", "../x", "a/../../x", "/x", "a//b", "a/", "x/.."])
async def test_no_key_leads_out_of_a_scope(key: str) -> None:
    below = MemoryBlobs()
    blobs = ScopedBlobs(below, "spaces/u/")
    for asking in (blobs.put(key, pieces_of(b"x")), blobs.size(key), blobs.delete(key)):
        with pytest.raises(ValueError, match="no key"):
            await asking
    with pytest.raises(ValueError, match="no key"):
        await anext(blobs.open(key))
    assert await below.list("") == []


@pytest.mark.parametrize("prefix", ["../", "/", "./", "a/../", "a//", "a/./b/", "a", ".."])
async def test_no_prefix_leads_out_of_a_scope(prefix: str) -> None:
    below = MemoryBlobs()
    await below.put("spaces/u/a", pieces_of(b"x"))
    blobs = ScopedBlobs(below, "spaces/u/")
    for asking in (blobs.list(prefix), blobs.delete_under(prefix)):
        with pytest.raises(ValueError, match=r"no key|prefix"):
            await asking
    assert await below.size("spaces/u/a") == 1


async def test_scope_sees_its_own_alone() -> None:
    below = MemoryBlobs()
    for key in ("spaces/u/a", "spaces/u/f/b", "spaces/u2/a", "spaces/u"):
        await below.put(key, pieces_of(key.encode()))
    blobs = ScopedBlobs(below, "spaces/u/")
    assert [blob.key for blob in await blobs.list("")] == ["a", "f/b"]
    assert [blob.key for blob in await blobs.list("", after="a", limit=1)] == ["f/b"]
    assert await whole(blobs, "a", 7) == b"u/a"
    for prefix in ("f", "a"):
        with pytest.raises(ValueError, match="prefix"):
            await blobs.delete_under(prefix)
    assert await blobs.delete_under("f/") == 1
    assert await blobs.delete_under("") == 1
    assert [blob.key for blob in await below.list("")] == ["spaces/u", "spaces/u2/a"]


async def test_clearing_a_part_counts_documents_and_files_and_leaves_its_neighbours() -> None:
    house = House([Maker()], tools=[make_file])
    everything = scope_over(house.storage, house.blobs)
    for path in ("a", "ab"):
        part = everything.under(path)
        await part.storage.save("doc", 1)
        await part.storage.append("log", [1])
        await part.blobs.put("file", pieces_of(b"x"))
    assert await everything.clear("a") == 3
    assert [one.key for one in await house.storage.list("")] == ["ab/doc"]
    assert [one.key for one in await house.blobs.list("")] == ["ab/file"]

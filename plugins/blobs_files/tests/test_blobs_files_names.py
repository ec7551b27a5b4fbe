"""Names on the disk: readable, safe on every file system, and back again."""

from __future__ import annotations

import random
import unicodedata

import pytest

from agentic_blobs_files.names import LONGEST_KEY, file_names, folder_names, is_file, text_of


@pytest.mark.parametrize(
    "key", ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "k" * 1025, "ä" * 513]
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        file_names(key)


@pytest.mark.parametrize("prefix", ["", "a", "/", "../", "a//", "a/../"])
def test_what_is_no_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match=r"key|prefix"):
        folder_names(prefix)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("spaces/u-1/runs/run_1/plot.png", "spaces/u-1/runs/run_1/plot.png"),
        ("Plan B.pdf", "!plan !b.pdf"),
        ("müll.csv", "müll.csv"),
        ("e\u0301.csv", "e%cc%81.csv"),
        ("表/ひ.png", "表/ひ.png"),
        ("ſtraße", "%c5%bftra%c3%9fe%"),
        ("a:b?*.txt", "a%3ab%3f%2a.txt"),
        ("😀.txt", "%f0%9f%98%80.txt"),
        (".hidden", "%2ehidden%"),
        ("end.", "end%2e%"),
        (" x ", "%20x%20%"),
        ("con/nul.txt", "%63on/%6eul.txt"),
        ("console", "console%"),
        ("v1.2/notes", "v1%2e2/notes%"),
        ("a\x00b\\c", "a%00b%5cc%"),
        ("100%!~1", "100%25%21%7e1%"),
    ],
)
def test_key_becomes_a_readable_path(key: str, path: str) -> None:
    assert "/".join(file_names(key)) == path


def test_no_name_is_refused_or_folded_by_any_file_system() -> None:
    chance = random.Random(7)
    alphabet = 'aAbB .-_~!%+:*?"<>|\\\x00\n1$éÉe\u0301ßſıµσςΣ😀漢\u1112\u1161\u11abİǆǅﬁ²\u200b\ufeff'
    folded: dict[str, str] = {}
    for _ in range(5000):
        key = "/".join("".join(chance.choices(alphabet, k=chance.randint(1, 9))) for _ in range(chance.randint(1, 3)))
        if {".", ".."} & set(key.split("/")):
            continue
        names = file_names(key)
        for name in names:
            assert 0 < len(name.encode()) <= 255
            assert not set(name) & set('<>:"/\\|?*~') and name.isprintable()
            assert name[0] not in ". " and name[-1] not in ". "
        path = "/".join(names)
        same = unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold()).upper()
        assert folded.setdefault(same, key) == key, "two keys are one file where case or form does not count"
        assert read_back(names) == key


@pytest.mark.parametrize(
    "part", ["k" * 1024, "K" * 1024, "." * 1024, " " * 1024, "é" * 512, "e\u0301" * 341, "x" * 900 + ".pdf"]
)
def test_long_part_goes_on_in_folders(part: str) -> None:
    names = file_names(part)
    assert len(names) > 1
    assert all(len(name.encode()) <= 255 for name in names)
    assert len("/".join(names).encode()) < 4096 - 800
    assert read_back(names) == part


def test_longest_path_fits_whatever_the_key_holds() -> None:
    for key in ("😀" * (LONGEST_KEY // 4), "\x01" * LONGEST_KEY, "/".join("." * 3 for _ in range(256))):
        assert len("/".join(file_names(key)).encode()) < 4096 - 800


def test_files_and_folders_never_have_the_same_name() -> None:
    for part in ("a", "a.b", "a.", ".a", "A", "%", "con", "é"):
        [file], [folder] = file_names(part), folder_names(f"{part}/")
        assert file != folder
        assert is_file(file) and not is_file(folder)


@pytest.mark.parametrize(
    "name", ["", "%", "%+", ".incoming", ".DS_Store", "Thumbs.db", "a~", "%zz", "%ff.txt", "con", "a\udcff"]
)
def test_name_of_others_is_not_taken_for_a_key(name: str) -> None:
    assert text_of(name) is None


def read_back(names: list[str]) -> str:
    """The key, as listing finds it."""
    key = ""
    for name in names:
        normal = unicodedata.normalize("NFD", name)
        text = text_of(normal)
        assert text is not None, name
        key += text + ("" if is_file(name) or name.endswith("%+") else "/")
    return key

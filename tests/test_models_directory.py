"""Which model answers: by id over all providers, by default, and the stand-in only while there is nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from agentic import ModelError, ModelInfo, ModelNotFound, ModelProvider, ModelUnavailable
from agentic.models import roster
from agentic.models.directory import Directory
from tests.kernel_in_memory import ScriptedProvider

AWAY = ModelUnavailable("the model server is away")


def provider(name: str, *ids: str, fallback: bool = False, configured: bool = False, **info: Any) -> ScriptedProvider:
    """A provider of the models named, the first of which is its default."""
    infos = [ModelInfo(**{"id": model_id, "default": n == 0, **info}) for n, model_id in enumerate(ids)]
    made = ScriptedProvider(name=name, infos=infos or [ModelInfo(id="embedding", chat=False)])
    made.fallback, made.configured = fallback, configured
    return made


def directory(*providers: ModelProvider) -> Directory:
    return Directory({one.name: one for one in providers})


async def ids(found: Directory) -> list[str]:
    return [chosen.id for chosen in await found.listing()]


@pytest.fixture
def never_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every list is asked for anew, and no failure is remembered."""
    monkeypatch.setattr(roster.Roster.infos, "__kwdefaults__", {"newer_than_s": 0.0})
    monkeypatch.setattr(roster, "FAILED_S", 0.0)


# Nothing to answer with


async def test_without_a_provider_there_is_no_model() -> None:
    with pytest.raises(ModelUnavailable, match="No model provider is installed"):
        await directory().default()
    with pytest.raises(ModelNotFound):
        await directory().find("m")
    assert await ids(directory()) == []


async def test_unknown_model_is_not_found_with_the_command_that_gets_it() -> None:
    with pytest.raises(ModelNotFound, match=r"The model 'big:70b' does not exist\. Run: pull big:70b") as caught:
        await directory(provider("a", "m")).find("big:70b")
    assert caught.value.param == "model"


async def test_model_that_cannot_chat_is_neither_found_nor_listed() -> None:
    found = directory(provider("a", "m", chat=False))
    with pytest.raises(ModelNotFound):
        await found.find("m")
    assert await ids(found) == []


async def test_provider_without_a_chat_model_says_what_to_do() -> None:
    with pytest.raises(ModelNotFound, match=r"a has no model to answer with\. Run: pull something"):
        await directory(provider("a")).default()


async def test_default_is_unavailable_where_nobody_can_be_reached() -> None:
    away = provider("a", "m")
    away.infos = AWAY
    with pytest.raises(ModelUnavailable, match="away"):
        await directory(away).default()


async def test_model_that_might_be_at_a_server_that_is_away_is_unavailable_not_unknown() -> None:
    away = provider("a", "m", configured=True)
    away.infos = AWAY
    with pytest.raises(ModelUnavailable):
        await directory(away, provider("b", "n")).find("m")


@pytest.mark.usefixtures("never_fresh")
async def test_model_unknown_after_a_failure_that_has_passed_is_not_found() -> None:
    class Flaky(ScriptedProvider):
        async def models(self) -> Sequence[ModelInfo]:
            self.asked += 1
            if self.asked == 1:
                raise AWAY
            return self.infos

    flaky = Flaky(name="a")
    flaky.configured = True
    with pytest.raises(ModelNotFound):
        await directory(flaky).find("gone")


async def test_provider_that_raises_is_a_model_error_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    broken = provider("a", "m")
    broken.infos = ValueError("secret 4711")
    found = directory(broken)
    with pytest.raises(ModelError, match="model provider a failed: ValueError") as caught:
        await found.default()
    assert "4711" not in str(caught.value)
    assert await ids(found) == []
    assert "[Models] Provider failed: a" in caplog.text


async def test_one_provider_that_is_away_hides_no_other() -> None:
    away = provider("a", "m", configured=True)
    away.infos = AWAY
    found = directory(away, provider("b", "n"))
    assert await ids(found) == ["n"]
    assert (await found.find("n")).provider.name == "b"
    assert (await found.default()).id == "n"


# Ids


async def test_default_is_that_of_the_first_provider_that_has_one() -> None:
    found = directory(provider("empty"), provider("a", "m1", "m2"), provider("b", "n"))
    chosen = await found.default()
    assert (chosen.id, chosen.provider.name, chosen.info.id) == ("m1", "a", "m1")


async def test_id_that_two_providers_have_is_listed_under_each_of_them_too() -> None:
    found = directory(provider("a", "m", "x/only"), provider("b", "m"))
    assert await ids(found) == ["m", "a/m", "x/only", "b/m"]
    assert (await found.find("m")).provider.name == "a"
    chosen = await found.find("b/m")
    assert (chosen.provider.name, chosen.id, chosen.info.id) == ("b", "b/m", "m")
    assert (await found.find("x/only")).info.id == "x/only"


async def test_model_that_has_just_come_is_found() -> None:
    one = provider("a", "m")
    found = directory(one)
    await found.default()
    one.infos = [*one.infos, ModelInfo(id="new")]
    assert (await found.find("new")).id == "new"
    assert one.asked == 2


async def test_lists_are_asked_for_once_in_a_while_only() -> None:
    one = provider("a", "m")
    found = directory(one)
    await asyncio.gather(*(found.default() for _ in range(20)))
    await found.find("m")
    assert one.asked == 1


async def test_all_who_wait_for_a_silent_server_share_its_failure() -> None:
    class Silent(ScriptedProvider):
        async def models(self) -> Sequence[ModelInfo]:
            self.asked += 1
            await asyncio.sleep(0.05)
            raise AWAY

    silent = Silent(name="a")
    silent.configured = True
    found = directory(silent)
    outcomes = await asyncio.wait_for(
        asyncio.gather(*(found.default() for _ in range(20)), return_exceptions=True), 0.5
    )
    assert [type(outcome) for outcome in outcomes] == [ModelUnavailable] * 20
    assert silent.asked == 1


async def test_one_who_goes_away_leaves_the_others_their_answer() -> None:
    release = asyncio.Event()

    class Slow(ScriptedProvider):
        async def models(self) -> Sequence[ModelInfo]:
            await release.wait()
            return await super().models()

    found = directory(Slow(name="a"))
    first, second = (asyncio.create_task(found.default()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    release.set()
    assert (await second).id == "m"


# The stand-in


async def test_stand_in_answers_while_no_server_was_configured_or_reached() -> None:
    server, stand_in = provider("server", "big"), provider("tiny", "small", fallback=True, notice="for trying out")
    server.infos = AWAY
    found = directory(server, stand_in)
    assert (await found.default()).id == "small"
    assert await ids(found) == ["small"]
    assert await found.notices() == ["for trying out"]


@pytest.mark.usefixtures("never_fresh")
async def test_first_server_that_is_reached_takes_over_for_good() -> None:
    server, stand_in = provider("server", "big"), provider("tiny", "small", fallback=True, notice="for trying out")
    server.infos, there = AWAY, server.infos
    found = directory(server, stand_in)
    assert (await found.default()).id == "small"
    server.infos = there
    assert (await found.default()).id == "big"
    assert await found.notices() == []
    server.infos = AWAY
    with pytest.raises(ModelUnavailable):
        await found.default()
    with pytest.raises(ModelUnavailable):
        await found.find("small")
    server.infos = there
    assert (await found.default()).id == "big"


@pytest.mark.usefixtures("never_fresh")
async def test_configured_server_is_never_replaced_and_recovers() -> None:
    server, stand_in = provider("server", "big", configured=True), provider("tiny", "small", fallback=True)
    server.infos, there = AWAY, server.infos
    found = directory(server, stand_in)
    with pytest.raises(ModelUnavailable):
        await found.default()
    assert await ids(found) == []
    assert list(await found.states()) == ["server"]
    server.infos = there
    assert (await found.default()).id == "big"


async def test_stand_in_alone_answers() -> None:
    assert (await directory(provider("tiny", "small", fallback=True)).default()).id == "small"


# Health and the end


async def test_states_name_what_is_wrong_with_each_provider(caplog: pytest.LogCaptureFixture) -> None:
    class Ill(ScriptedProvider):
        async def health(self) -> str | None:
            return "out of memory"

    class Broken(ScriptedProvider):
        async def health(self) -> str | None:
            raise OSError("secret 4711")

    found = directory(provider("well", "m"), Ill(name="ill"), Broken(name="broken"))
    with caplog.at_level(logging.INFO):
        await found.probe()
    assert await found.states() == {
        "well": None,
        "ill": "out of memory",
        "broken": "the health check failed: OSError",
    }
    assert "[Models] Reached: well" in caplog.text
    assert "[Models] Not reached: ill: out of memory" in caplog.text


async def test_every_provider_is_closed_even_if_one_of_them_raises() -> None:
    closed: list[str] = []

    class Closing(ScriptedProvider):
        async def aclose(self) -> None:
            closed.append(self.name)
            if self.name == "a":
                raise OSError

    await directory(Closing(name="a"), Closing(name="b")).aclose()
    assert closed == ["a", "b"]


async def test_configured_provider_that_is_set_aside_is_not_replaced_by_a_fallback() -> None:
    embedded = ScriptedProvider(name="embedded")
    embedded.fallback = True
    directory = Directory({"embedded": embedded}, withheld="plugin server: invalid setting SERVER_TIMEOUT")
    for asked in (directory.default(), directory.find("m")):
        with pytest.raises(ModelUnavailable, match="SERVER_TIMEOUT"):
            await asked


async def test_doubted_model_is_asked_for_anew() -> None:
    provider = ScriptedProvider()
    directory = Directory({"scripted": provider})
    chosen = await directory.default()
    await directory.default()
    assert provider.asked == 1
    directory.doubt(chosen)
    await directory.default()
    assert provider.asked == 2

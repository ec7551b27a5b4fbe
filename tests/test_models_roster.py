"""Providers that hang, exit or list nonsense: each fails by itself, and is not asked again at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from agentic import ModelError, ModelInfo, ModelNotFound, ModelProvider, ModelTimeout, ModelUnavailable
from agentic.models import roster
from agentic.models.directory import Directory
from tests.kernel_in_memory import ScriptedProvider

AWAY = ModelUnavailable("the model server is away")


def provider(name: str, model: str, *, fallback: bool = False) -> ScriptedProvider:
    made = ScriptedProvider(name=name, infos=[ModelInfo(id=model, default=True)])
    made.fallback = fallback
    return made


def info(**fields: Any) -> ModelInfo:
    return ModelInfo(**fields)


def directory(*providers: ModelProvider) -> Directory:
    return Directory({one.name: one for one in providers})


async def ids(found: Directory) -> list[str]:
    return [chosen.id for chosen in await found.listing()]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider is given a tenth of a second."""
    monkeypatch.setattr(roster, "PATIENCE_S", 0.1)


class Hanging(ScriptedProvider):
    """Never says which models it has, nor how it is."""

    async def models(self) -> Sequence[ModelInfo]:
        self.asked += 1
        await asyncio.Event().wait()
        return ()

    async def health(self) -> str | None:
        await asyncio.Event().wait()
        return None


@pytest.mark.usefixtures("impatient")
async def test_provider_that_hangs_is_a_timeout_that_names_it() -> None:
    hanging = Hanging(name="stuck")
    with pytest.raises(ModelTimeout, match=r"model provider stuck took longer than 0\.1 s"):
        await directory(hanging).find("m")
    assert hanging.asked == 1
    assert await directory(hanging).states() == {"stuck": "the health check took longer than 0.1 s"}


@pytest.mark.parametrize("listed", [None, 7, "models", [None], ["m"], [info(id=7)], [info(id="m", aliases=None)]])
async def test_provider_that_lists_odd_things_is_a_model_error_that_names_it(listed: Any) -> None:
    odd = provider("odd", "m")
    odd.infos = listed
    with pytest.raises(ModelError, match="model provider odd "):
        await directory(odd).default()


class Exiting(ScriptedProvider):
    """Ends the process wherever it is asked for something, as a command line's library does."""

    async def models(self) -> Sequence[ModelInfo]:
        raise SystemExit("secret 4711")

    async def health(self) -> str | None:
        raise SystemExit("secret 4711")

    async def aclose(self) -> None:
        raise SystemExit("secret 4711")


async def test_provider_that_exits_is_a_failure_of_that_provider_alone() -> None:
    found = directory(Exiting(name="gone"))
    with pytest.raises(ModelError, match="model provider gone failed: SystemExit"):
        await found.find("m")
    assert await found.states() == {"gone": "the health check failed: SystemExit"}
    await found.aclose()


async def test_remedy_that_exits_leaves_the_others() -> None:
    class Mute(ScriptedProvider):
        def remedy(self, model_id: str) -> str:
            raise SystemExit

    with pytest.raises(ModelNotFound, match=r"^The model 'x' does not exist\. Run: pull x$"):
        await directory(Mute(name="mute"), provider("a", "m")).find("x")


def odd() -> ScriptedProvider:
    made = provider("odd", "m")
    made.infos = [object()]
    return made


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("make", [lambda: Hanging(name="stuck"), lambda: Exiting(name="gone"), odd])
@pytest.mark.parametrize("configured", [True, False])
async def test_provider_that_fails_takes_no_other_down(make: Callable[[], ScriptedProvider], configured: bool) -> None:
    failing = make()
    failing.configured = configured
    found = directory(failing, provider("b", "n"))
    assert await ids(found) == ["n"]
    assert (await found.find("n")).provider.name == "b"
    assert (await found.default()).id == "n"


async def test_failure_is_remembered_so_that_one_request_meets_it_once() -> None:
    away = provider("a", "m")
    away.infos = AWAY
    found = directory(away, provider("tiny", "small", fallback=True))
    for _ in range(3):
        assert (await found.default()).id == "small"
        assert await ids(found) == ["small"]
        await found.find("small")
    assert away.asked == 1


async def test_failure_is_forgotten_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "FAILED_S", 0.02)
    away = provider("a", "m")
    away.infos, there = AWAY, away.infos
    found = directory(away)
    with pytest.raises(ModelUnavailable):
        await found.default()
    away.infos = there
    with pytest.raises(ModelUnavailable):
        await found.default()
    await asyncio.sleep(0.03)
    assert (await found.default()).id == "m"

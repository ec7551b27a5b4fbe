"""Kit for places to sign in: :class:`LoginConformance`. A plugin subclasses it in its own tests::

class TestCampus(LoginConformance):
    @pytest.fixture
    def login(self):
        return Campus("http://127.0.0.1:1234")

    @pytest.fixture
    def browser(self):
        async def sign_in(url):             # as one and the same person each time
            ...                             # follow the redirects, fill in the form
            return dict(the_query_of_the_address_that_came_back)

        return sign_in

    @pytest.fixture
    def away(self):
        return Campus("http://127.0.0.1:9")  # nobody listens there
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

import pytest

from agentic.errors import LoginUnavailable, Unauthorized
from agentic.ports.login import LoginProvider, LoginStarted

__all__ = ["REDIRECT", "Browser", "LoginConformance"]

REDIRECT = "http://127.0.0.1:8000/api/auth/login/test/callback"
"""Where the kit's logins come back to."""
_COOKIE_BYTES = 2000
Browser = Callable[[str], Awaitable[Mapping[str, str]]]


class LoginConformance:
    """What every place to sign in owes to the kernel. Override ``login``, ``browser`` and ``away``."""

    @pytest.fixture
    def login(self) -> LoginProvider:
        """The login under test."""
        raise NotImplementedError("override the fixture `login`")

    @pytest.fixture
    def browser(self) -> Browser:
        """Signs one and the same person in at an address, and gives the query with which the browser comes back."""
        raise NotImplementedError("override the fixture `browser`")

    @pytest.fixture
    def away(self) -> LoginProvider:
        """The same for a provider that is not there."""
        raise NotImplementedError("override the fixture `away`")

    def test_name_and_title_are_there(self, login: LoginProvider) -> None:
        assert login.name.strip()
        assert login.title.strip()

    async def test_starting_gives_an_address_and_what_a_cookie_can_hold(self, login: LoginProvider) -> None:
        started = await login.start(REDIRECT)
        assert urlsplit(started.url).scheme in ("http", "https")
        assert all(isinstance(one, str) for pair in started.kept.items() for one in pair)
        assert len(json.dumps(dict(started.kept))) < _COOKIE_BYTES
        assert "kept" not in repr(started), "it is for the browser alone"

    async def test_no_two_logins_begin_alike(self, login: LoginProvider) -> None:
        started = await asyncio.gather(*(login.start(REDIRECT) for _ in range(4)))
        assert len({one.url for one in started}) == 4
        assert len({json.dumps(dict(one.kept)) for one in started}) == 4

    async def test_the_same_person_is_known_by_the_same_issuer_and_subject(
        self, login: LoginProvider, browser: Browser
    ) -> None:
        people = []
        for _ in range(2):
            started = await login.start(REDIRECT)
            people.append(await login.finish(started.kept, await browser(started.url), REDIRECT))
        assert people[0].issuer and people[0].subject
        assert (people[0].issuer, people[0].subject) == (people[1].issuer, people[1].subject)

    async def test_an_answer_is_good_once(self, login: LoginProvider, browser: Browser) -> None:
        started = await login.start(REDIRECT)
        answer = await browser(started.url)
        await login.finish(started.kept, answer, REDIRECT)
        with pytest.raises(Unauthorized):
            await login.finish(started.kept, answer, REDIRECT)

    async def test_an_answer_to_another_login_is_refused(self, login: LoginProvider, browser: Browser) -> None:
        mine, other = await login.start(REDIRECT), await login.start(REDIRECT)
        answer = await browser(other.url)
        with pytest.raises(Unauthorized):
            await login.finish(mine.kept, answer, REDIRECT)

    async def test_no_field_of_an_answer_can_be_left_out_or_changed_to_no_effect(
        self, login: LoginProvider, browser: Browser
    ) -> None:
        started = await login.start(REDIRECT)
        answer = dict(await browser(started.url))
        bare: list[Mapping[str, str]] = [{}, {name: "" for name in answer}, {name: "\ud800é" for name in answer}]
        for wrong in bare:
            with pytest.raises(Unauthorized):
                await login.finish(started.kept, wrong, REDIRECT)

    async def test_while_the_provider_is_away_that_is_what_is_said(self, away: LoginProvider) -> None:
        with pytest.raises(LoginUnavailable):
            await away.start(REDIRECT)

    async def test_closing_twice_is_no_error(self, login: LoginProvider) -> None:
        await login.aclose()
        await login.aclose()

    async def test_what_is_kept_is_all_it_takes_to_finish_at_another_server(
        self, login: LoginProvider, browser: Browser
    ) -> None:
        started = await login.start(REDIRECT)
        travelled = LoginStarted(started.url, json.loads(json.dumps(dict(started.kept))))
        assert (await login.finish(travelled.kept, await browser(travelled.url), REDIRECT)).subject

"""Signing in at a provider over HTTP: the browser is sent there and back, and the token goes to that browser alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from agentic.errors import Forbidden, LoginUnavailable
from tests.http_fixtures import error_of
from tests.served_users import Served

PATH = "/api/auth/login/campus"


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Served:
    """The application; its parameter, where a test gives one, holds settings."""
    return Served(**getattr(request, "param", {}))


@pytest.fixture
async def browser(served: Served) -> Any:
    async with served.api() as browser:
        yield browser


async def begin(browser: httpx.AsyncClient, return_to: str = "") -> str:
    """The state with which the provider sends the browser back."""
    answer = await browser.get(PATH, params={"return_to": return_to})
    assert answer.status_code == 303, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))["state"]


async def come_back(browser: httpx.AsyncClient, state: str) -> httpx.Response:
    return await browser.get(f"{PATH}/callback", params={"state": state, "code": "c"})


def fragment(answer: httpx.Response) -> tuple[str, dict[str, str]]:
    assert answer.status_code == 303, answer.text
    place, _, behind = answer.headers["location"].partition("#")
    return place, dict(parse_qsl(behind))


async def test_anybody_may_ask_where_to_sign_in(browser: Any) -> None:
    answer = await browser.get("/api/auth/logins")
    assert answer.json() == {"logins": [{"name": "campus", "title": "Campus account", "url": PATH}]}


async def test_a_login_gives_the_token_to_the_browser_that_began_it(served: Served, browser: Any) -> None:
    answer = await come_back(browser, await begin(browser))
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["user"]["username"]) == ("bearer", 3600, "cora")
    assert answer.headers["cache-control"] == "no-store"
    async with served.api(body["access_token"]) as cora:
        assert (await cora.get("/api/auth/me")).json() == body["user"]
    assert served.campus.started == ["http://test/api/auth/login/campus/callback"]


async def test_the_cookie_is_for_this_login_and_out_of_reach_of_scripts(browser: Any) -> None:
    cookie = (await browser.get(PATH)).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert f"Path={PATH}/callback" in cookie
    assert "Max-Age=600" in cookie
    assert "Secure" not in cookie


@pytest.mark.parametrize("served", [{"public_url": "https://a.example.org/base/"}], indirect=True)
async def test_the_public_address_is_the_one_to_come_back_to(served: Served, browser: Any) -> None:
    cookie = (await browser.get(PATH, headers={"Host": "evil.example"})).headers["set-cookie"]
    assert served.campus.started == ["https://a.example.org/base/api/auth/login/campus/callback"]
    assert "Secure" in cookie
    assert "Path=/base/api/auth/login/campus/callback" in cookie


async def test_another_browser_cannot_finish_what_this_one_began(served: Served, browser: Any) -> None:
    state = await begin(browser)
    async with served.api() as other:
        assert (await come_back(other, state)).status_code == 401
        await begin(other)
        answer = await come_back(other, state)
    assert answer.status_code == 401
    error_of(answer.json())
    assert await served.identity.users.list() == []


async def test_a_login_is_finished_once(served: Served, browser: Any) -> None:
    state = await begin(browser)
    cookies = dict(browser.cookies)
    assert (await come_back(browser, state)).status_code == 200
    assert not dict(browser.cookies), "the cookie is gone"
    async with served.api() as thief:
        answer = await thief.get(
            f"{PATH}/callback",
            params={"state": state, "code": "c"},
            headers={"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())},
        )
    assert answer.status_code == 401
    assert "used already" in answer.text


@pytest.mark.parametrize(
    ("error", "status"),
    [(LoginUnavailable("the provider is away"), 503), (Forbidden("not you"), 403)],
    ids=["away", "forbidden"],
)
async def test_what_goes_wrong_is_an_error_in_the_one_shape(
    served: Served, browser: Any, error: Exception, status: int
) -> None:
    served.campus.who = error
    answer = await come_back(browser, await begin(browser))
    assert answer.status_code == status
    assert error_of(answer.json())["message"] == str(error)


async def test_a_person_who_may_not_join_is_turned_away(served: Served, browser: Any) -> None:
    assert not isinstance(served.campus.who, Exception)
    served.campus.who = replace(served.campus.who, may_join=False)
    assert (await come_back(browser, await begin(browser))).status_code == 403
    assert await served.identity.users.list() == []


@pytest.mark.parametrize("served", [{"cors_origins": ["https://chat.example.org"]}], indirect=True)
@pytest.mark.parametrize(
    "page",
    ["/", "/page?a=b", "https://chat.example.org", "https://chat.example.org/", "https://chat.example.org/a?b=c"],
)
async def test_a_page_of_ours_gets_the_token_behind_the_hash(served: Served, browser: Any, page: str) -> None:
    place, token = fragment(await come_back(browser, await begin(browser, page)))
    assert place == page
    assert set(token) == {"access_token", "token_type", "expires_in"}
    async with served.api(token["access_token"]) as cora:
        assert (await cora.get("/api/auth/me")).status_code == 200
    served.campus.who = Forbidden("not you")
    place, told = fragment(await come_back(browser, await begin(browser, page)))
    assert place == page
    assert told == {"error": "forbidden", "error_description": "not you"}


@pytest.mark.parametrize("served", [{"cors_origins": ["https://chat.example.org"]}], indirect=True)
@pytest.mark.parametrize(
    "page",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/\\/evil.example",
        "\\\\evil.example",
        "/a\nb",
        "/\t/evil.example",
        "/page#there",
        "https://chat.example.org.evil.example/",
        "https://chat.example.org@evil.example/",
        "https://chat.example.org\\@evil.example/",
        "http://chat.example.org/",
        "javascript:alert(1)",
        "page",
        "https://[",
        "https://chat.example.org/#there",
        "https://chat.example.org:443/",
        "é",
        "/é",
    ],
)
async def test_no_page_of_a_stranger_gets_the_token(browser: Any, page: str) -> None:
    answer = await browser.get(PATH, params={"return_to": page})
    assert answer.status_code == 400
    assert error_of(answer.json())["param"] == "return_to"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("end", ["", "/callback"])
async def test_a_place_that_there_is_not_is_a_404(browser: Any, end: str) -> None:
    answer = await browser.get(f"/api/auth/login/nowhere{end}")
    assert answer.status_code == 404
    error_of(answer.json())


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", PATH), ("DELETE", PATH), ("GET", f"{PATH}/callback/more"), ("GET", "/api/auth/login/../me"),
     ("GET", "/api/auth/login/%2e%2e/me"), ("POST", "/api/auth/logins"), ("GET", "/api/auth/login/Campus")],
)  # fmt: skip
async def test_nothing_else_is_open_to_strangers(browser: Any, method: str, path: str) -> None:
    answer = await browser.request(method, path)
    assert answer.status_code == 401

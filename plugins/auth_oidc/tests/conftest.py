"""What the tests of the login share: a real provider run by Node, a browser that signs in there, and a hostile one."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest
from blockbuster import blockbuster_ctx

from agentic.testing.login import REDIRECT
from agentic_auth_oidc.login import OidcLogin
from agentic_auth_oidc.settings import Settings

SOURCES = Path(__file__).parent / "oidc_provider"
_MOST_STEPS = 20

Make = Callable[..., OidcLogin]
SignIn = Callable[[str, str], Awaitable[Mapping[str, str]]]


@pytest.fixture(autouse=True)
def unblocked_loop() -> Iterator[None]:
    """Fails a test in which the plugin blocks the event loop."""
    with blockbuster_ctx("agentic_auth_oidc"):
        yield


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real provider, installed from npm's registry; skipped only where npm is not installed."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed (apt-get install npm)")
    folder = tmp_path_factory.mktemp("provider")
    for source in ("package.json", "provider.mjs"):
        shutil.copy(SOURCES / source, folder)
    npm = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(npm, cwd=folder, check=True, timeout=100)
    log = (folder / "provider.log").open("wb")
    node = ["node", "provider.mjs", REDIRECT]
    process = subprocess.Popen(node, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address, (folder / "provider.log").read_text("utf-8")
    yield address
    process.kill()
    process.wait(30)


@pytest.fixture
def make(issuer: str) -> Make:
    """Makes a login at the real provider, with these settings."""

    def made(**settings: Any) -> OidcLogin:
        given = {"oidc_issuer": issuer, "oidc_client_id": "agentic", "oidc_client_secret": "a secret of the client's"}
        return OidcLogin(Settings.model_validate({**given, **settings}))

    return made


@pytest.fixture
def sign_in() -> SignIn:
    """A browser in which a person signs in at an address, agrees, and is sent back; gives the query it comes with."""
    return sign_in_as


async def sign_in_as(url: str, person: str) -> Mapping[str, str]:
    async with httpx.AsyncClient(timeout=30) as browser:
        response = await browser.get(url)
        for _ in range(_MOST_STEPS):
            if response.has_redirect_location:
                target = urljoin(str(response.url), response.headers["location"])
                if target.startswith(REDIRECT):
                    return dict(parse_qsl(urlsplit(target).query))
                response = await browser.get(target)
                continue
            assert response.status_code == 200, response.text
            response = await browser.post(_action(response), data=_filled_in(response.text, person))
    raise AssertionError(f"the provider goes round in circles: {response.url}")


def _action(page: httpx.Response) -> str:
    found = re.search(r'<form[^>]*action="([^"]+)"', page.text)
    assert found, page.text
    return urljoin(str(page.url), unescape(found[1]))


def _filled_in(page: str, person: str) -> dict[str, str]:
    prompt = re.search(r'name="prompt" value="(\w+)"', page)
    assert prompt, page
    return {"prompt": prompt[1], "login": person, "password": "any will do"}

"""The kit for places to sign in, at a real provider."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import pytest

from agentic.testing.login import Browser, LoginConformance
from agentic_auth_oidc.login import OidcLogin

from .conftest import Make, SignIn


class TestOidcLogin(LoginConformance):
    @pytest.fixture
    def login(self, make: Make) -> OidcLogin:
        return make()

    @pytest.fixture
    def browser(self, sign_in: SignIn) -> Browser:
        async def as_anna(url: str) -> Mapping[str, str]:
            return await sign_in(url, "anna")

        return as_anna

    @pytest.fixture
    def away(self, make: Make) -> OidcLogin:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        return make(oidc_issuer=f"http://127.0.0.1:{port}")

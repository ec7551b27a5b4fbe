"""The authorization code flow with PKCE, state and nonce; Authlib speaks it."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from agentic import Forbidden, LoginProvider, LoginStarted, LoginUnavailable, Outsider, Unauthorized
from agentic_auth_oidc.claims import is_accepted, may_join, wished_name
from agentic_auth_oidc.provider import Provider
from agentic_auth_oidc.settings import Settings

_NOT_OURS = "this login is not the one that was begun here; begin again"


class OidcLogin(LoginProvider):
    """People of one OpenID Connect provider."""

    name = "oidc"

    def __init__(self, settings: Settings) -> None:
        self.title = settings.oidc_title
        self._settings = settings
        self._issuer = settings.oidc_issuer or ""
        self._provider: Provider | None = None
        self._opening = asyncio.Lock()

    async def start(self, redirect_uri: str) -> LoginStarted:
        """See :class:`LoginProvider`."""
        provider = await self._opened()
        kept = {"state": _token(), "nonce": _token(), "verifier": _token()}
        metadata = await provider.metadata()
        async with self._client(provider, metadata, redirect_uri) as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"],
                state=kept["state"],
                nonce=kept["nonce"],
                code_verifier=kept["verifier"],
            )
        return LoginStarted(str(url), kept)

    async def finish(self, kept: Mapping[str, str], answer: Mapping[str, str], redirect_uri: str) -> Outsider:
        """See :class:`LoginProvider`."""
        if not _equal(answer.get("state", ""), kept["state"]):
            raise Unauthorized(_NOT_OURS)
        provider = await self._opened()
        metadata = await provider.metadata()
        names_itself = "iss" in answer or metadata.get("authorization_response_iss_parameter_supported") is True
        if names_itself and not _equal(answer.get("iss", ""), self._issuer):
            raise Unauthorized(_NOT_OURS)
        if "error" in answer or not answer.get("code"):
            # Its description is the provider's, or anybody's who has written the address: it is not passed on.
            raise Unauthorized("the provider has not let you in")
        async with self._client(provider, metadata, redirect_uri) as client:
            token = await provider.redeem(client, answer["code"], kept["verifier"])
            claims = await provider.claims(token, kept["nonce"], self._settings.oidc_client_id or "")
            claims = await provider.more(client, claims)
        return self._outsider(claims)

    def _outsider(self, claims: Mapping[str, Any]) -> Outsider:
        settings = self._settings
        for claim, accepted in settings.oidc_required_claims.items():
            if not is_accepted(claims, claim, accepted):
                raise Forbidden(f"you have signed in, but may not use this server: it asks for certain {claim}")
        role: Any = None
        if settings.oidc_admin_claims:
            rules = settings.oidc_admin_claims.items()
            role = "admin" if any(is_accepted(claims, claim, accepted) for claim, accepted in rules) else "user"
        return Outsider(
            issuer=self._issuer,
            subject=claims["sub"],
            name=wished_name(claims, settings.oidc_name_claim),
            role=role,
            may_join=settings.oidc_auto_create and may_join(claims, settings.oidc_allowed_domains),
        )

    async def _opened(self) -> Provider:
        async with self._opening:
            if self._provider is None:
                # Authlib and the certificates of this machine take a while to read.
                self._provider = await asyncio.to_thread(Provider, self._issuer)
            return self._provider

    @asynccontextmanager
    async def _client(self, provider: Provider, metadata: Mapping[str, Any], redirect_uri: str) -> AsyncIterator[Any]:
        """A client of Authlib's for one login: it keeps that login's token."""
        secret = self._settings.oidc_client_secret
        client = provider.client(
            client_id=self._settings.oidc_client_id,
            client_secret=secret.get_secret_value() if secret else None,
            token_endpoint_auth_method=_method(metadata, has_secret=secret is not None),
            scope=self._settings.oidc_scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )
        try:
            async with client:
                yield client
        except provider.unreachable as error:
            raise LoginUnavailable(f"the provider {self._issuer} cannot be reached ({type(error).__name__})") from error


def _method(metadata: Mapping[str, Any], *, has_secret: bool) -> str:
    """How this server says to the provider who it is."""
    if not has_secret:
        return "none"
    offered = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"


def _token() -> str:
    return secrets.token_urlsafe(32)


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))

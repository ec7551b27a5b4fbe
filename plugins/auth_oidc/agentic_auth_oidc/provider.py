"""One provider: where its parts are, its keys, and what its tokens say once they are checked."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from agentic import LoginUnavailable, Unauthorized

logger = logging.getLogger(__name__)

TIMEOUT_S = 10.0
FRESH_S = 3600.0
"""How long what the provider says of itself is taken to hold."""
LEEWAY_S = 60
"""How far the clocks of the two may differ."""
SIGNED = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures that are believed: those that only the provider can make. No HMAC, and never none."""
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Provider:
    """What is known of the provider at ``issuer``. Making one imports Authlib: do it in a thread.

    ``unreachable``: the errors of a client that reaches nobody.
    """

    def __init__(self, issuer: str) -> None:
        import httpx2
        from authlib.common.errors import AuthlibBaseError
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        # Imported here because this runs in a thread: the first import takes a while.
        import authlib.oidc.core  # noqa: F401  # isort: skip
        import joserfc.jwt  # noqa: F401  # isort: skip

        self.issuer = issuer
        self.unreachable = (httpx2.HTTPError, httpx2.InvalidURL)
        self._refused = AuthlibBaseError
        self._client_type = AsyncOAuth2Client
        self._trusted = ssl.create_default_context()
        # The first client of a process imports what connects it.
        httpx2.AsyncClient(verify=self._trusted)
        self._metadata: Mapping[str, Any] | None = None
        self._read_at = 0.0
        self._keys: Any = None
        self._reading = asyncio.Lock()

    def client(self, **options: Any) -> Any:
        """A client of Authlib's; close it."""
        # Authlib would not use an access token any more whose lifetime is within its leeway.
        return self._client_type(verify=self._trusted, timeout=TIMEOUT_S, follow_redirects=False, leeway=0, **options)

    async def metadata(self) -> Mapping[str, Any]:
        """What the provider says of itself. Raises LoginUnavailable."""
        async with self._reading:
            if self._metadata is None or time.monotonic() - self._read_at > FRESH_S:
                address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
                self._metadata = self._checked(await self._get(address))
                self._read_at = time.monotonic()
            return self._metadata

    async def redeem(self, client: Any, code: str, verifier: str) -> Mapping[str, Any]:
        """The tokens for a code. Raises Unauthorized where the provider refuses it, LoginUnavailable."""
        metadata = await self.metadata()
        try:
            token = await client.fetch_token(metadata["token_endpoint"], code=code, code_verifier=verifier)
        except self._refused as error:
            logger.warning("[OIDC] Code refused: %s", str(error.error)[:100])
            if error.error in ("invalid_client", "unauthorized_client"):
                raise LoginUnavailable("the provider does not know this server: see OIDC_CLIENT_ID") from error
            raise Unauthorized("the provider has not confirmed this login; begin again") from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._nonsense("its answer to a code cannot be read") from error
        if not isinstance(token, dict) or not isinstance(token.get("id_token"), str):
            raise self._nonsense("it gave no ID token")
        return token

    async def claims(self, token: Mapping[str, Any], nonce: str, client_id: str) -> dict[str, Any]:
        """What the ID token says. Raises Unauthorized unless it is the provider's, for us and this login, and fresh."""
        from authlib.oidc.core import CodeIDToken
        from joserfc.errors import JoseError

        metadata = await self.metadata()
        try:
            signed = await self._verified(token["id_token"], _algorithms(metadata))
            claims = CodeIDToken(
                signed.claims,
                signed.header,
                {
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": client_id},
                    "sub": {"essential": True},
                },
                {"nonce": nonce, "client_id": client_id, "access_token": token.get("access_token")},
            )
            claims.validate(leeway=LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            logger.warning("[OIDC] ID token refused: %s", type(error).__name__)
            raise Unauthorized("the provider's ID token does not hold; begin again") from None
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise Unauthorized("the provider's ID token names nobody")
        return dict(claims)

    async def more(self, client: Any, claims: dict[str, Any]) -> dict[str, Any]:
        """The claims with those that the provider tells when asked; what the ID token said stands."""
        endpoint = (await self.metadata()).get("userinfo_endpoint")
        if not endpoint or not client.token:
            return claims
        try:
            answer = await client.get(endpoint)
        except self._refused as error:
            raise self._nonsense("its access token cannot be used") from error
        if answer.status_code != 200:
            raise self._nonsense(f"asked about the user it answers {answer.status_code}")
        try:
            told = answer.json()
        except ValueError as error:
            raise self._nonsense("what it says about the user is no JSON") from error
        if not isinstance(told, dict) or told.get("sub") != claims["sub"]:
            raise Unauthorized("the provider speaks of somebody else; begin again")
        return {**told, **claims}

    async def _verified(self, id_token: str, algorithms: list[str]) -> Any:
        from joserfc import jwt
        from joserfc.errors import BadSignatureError, InvalidKeyIdError
        from joserfc.jws import JWSRegistry

        registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
        if self._keys is not None:
            try:
                return jwt.decode(id_token, self._keys, registry=registry)
            except (InvalidKeyIdError, BadSignatureError):
                logger.info("[OIDC] The provider's keys are read again")
        self._keys = await self._key_set()
        return jwt.decode(id_token, self._keys, registry=registry)

    async def _key_set(self) -> Any:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        told = await self._get((await self.metadata())["jwks_uri"])
        try:
            return KeySet.import_key_set(told)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise self._nonsense("its keys cannot be read") from error

    async def _get(self, address: str) -> Any:
        try:
            async with self.client() as client:
                answer = await client.request("GET", address, withhold_token=True)
        except self.unreachable as error:
            raise LoginUnavailable(f"the provider {self.issuer} cannot be reached ({type(error).__name__})") from error
        if answer.status_code != 200:
            raise self._nonsense(f"{urlsplit(address).path} answers {answer.status_code}")
        try:
            told = answer.json()
        except ValueError as error:
            raise self._nonsense(f"{urlsplit(address).path} is no JSON") from error
        if not isinstance(told, dict):
            raise self._nonsense(f"{urlsplit(address).path} is no JSON object")
        return told

    def _checked(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        if told.get("issuer") != self.issuer:
            raise self._nonsense("it calls itself by another name; set OIDC_ISSUER exactly as the provider does")
        for name in (*_NEEDED, "userinfo_endpoint"):
            address = told.get(name)
            if address is None and name not in _NEEDED:
                continue
            safe = ("https", urlsplit(self.issuer).scheme)
            if not isinstance(address, str) or urlsplit(address).scheme not in safe:
                raise self._nonsense(f"its {name} is no safe address")
        return told

    def _nonsense(self, what: str) -> LoginUnavailable:
        logger.warning("[OIDC] %s: %s", self.issuer, what)
        return LoginUnavailable(f"the provider {self.issuer} is not working: {what}")


def _algorithms(metadata: Mapping[str, Any]) -> list[str]:
    offered = metadata.get("id_token_signing_alg_values_supported")
    return [name for name in SIGNED if name in offered] if isinstance(offered, list) else ["RS256"]

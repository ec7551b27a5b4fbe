"""Claims that are signed with HS256 and expire, as tokens and passes carry them.

joserfc, and the cryptography under it, cost a tenth of a second to import: a server that is asked with API keys alone
never needs them.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agentic.messages import Json

if TYPE_CHECKING:
    from joserfc.jwk import OctKey


class NotSigned(Exception):
    """What was given is not signed by us, or its claims are not the ones that it must have."""


class Expired(NotSigned):
    """It was signed by us, and is too old."""


class Signer:
    """Signs with one key. Whoever must not block calls :meth:`ready` before."""

    def __init__(self, key: str | bytes) -> None:
        self._secret = key

    async def ready(self) -> None:
        """Import what signs, at the first call and beside the event loop."""
        if "_key" not in self.__dict__:
            await asyncio.to_thread(lambda: self._key)

    @cached_property
    def _key(self) -> OctKey:
        from joserfc import jwt  # noqa: F401 - so that all is there
        from joserfc.jwk import OctKey

        return OctKey.import_key(self._secret)

    def sign(self, claims: Json) -> str:
        """``claims`` as a JWT; "exp" is among them."""
        from joserfc import jwt

        return jwt.encode({"alg": "HS256"}, claims, self._key)

    def read(self, given: str, **required: Any) -> Json:
        """The claims of a JWT, all of ``required`` among them: joserfc's options by their names.

        Raises Expired or NotSigned.
        """
        from joserfc import jwt
        from joserfc.errors import ExpiredTokenError, JoseError

        wanted = {"exp": {"essential": True}, **required}
        try:
            claims = jwt.decode(given, self._key, algorithms=["HS256"]).claims
            jwt.JWTClaimsRegistry(**wanted).validate(claims)
        except ExpiredTokenError:
            raise Expired from None
        # The header is parsed before the signature is checked, so a stranger's bytes reach the JSON parser.
        except (JoseError, ValueError, TypeError, RecursionError):
            raise NotSigned from None
        return claims

"""What a browser carries while its person signs in elsewhere: signed, for one provider, for ten minutes, good once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass

from agentic.errors import Conflict, Unauthorized
from agentic.identity.signing import NotSigned, Signer
from agentic.ports.storage import StorageBackend

LIFETIME_S = 600
_LONGEST = 4096
_SWEPT = 100
_REFUSED = "this login is not one that was begun in this browser, or it took too long; begin again"


@dataclass(frozen=True, slots=True)
class Pass:
    """``kept`` is the provider's; ``return_to`` where the browser goes in the end, or empty."""

    id: str
    expires_at: float
    kept: Mapping[str, str]
    return_to: str


class Passes:
    """Gives passes and takes them back. ``secret`` is the server's; passes are signed with a key made from it."""

    def __init__(self, storage: StorageBackend, secret: str) -> None:
        self._storage = storage
        # A key of its own, so that no pass can ever be taken for a token, or a token for a pass.
        self._signer = Signer(hmac.digest(secret.encode(), b"agentic passes", hashlib.sha256))
        self.ready = self._signer.ready

    def give(self, provider: str, kept: Mapping[str, str], return_to: str) -> str:
        """A pass, as a cookie can hold it."""
        claims = {
            "jti": secrets.token_urlsafe(16),
            "exp": int(time.time() + LIFETIME_S),
            "aud": provider,
            "kept": dict(kept),
            "to": return_to,
        }
        return self._signer.sign(claims)

    def read(self, provider: str, given: str) -> Pass:
        """What a pass holds. Raises Unauthorized for one that is not of our making, of another provider, or too old."""
        if not given or len(given) > _LONGEST:
            raise Unauthorized(_REFUSED)
        try:
            claims = self._signer.read(given, aud={"essential": True, "value": provider})
            return Pass(claims["jti"], claims["exp"], claims["kept"], claims["to"])
        except (NotSigned, KeyError):
            raise Unauthorized(_REFUSED) from None

    async def take(self, one: Pass) -> None:
        """Take a pass back. Raises Unauthorized where that was done before, on whichever server; StorageError."""
        await self._sweep()
        try:
            await self._storage.save(f"used_passes/{one.id}", {"until": one.expires_at}, if_version=0)
        except Conflict:
            raise Unauthorized("this login was used already; begin again") from None

    async def _sweep(self) -> None:
        """Forget passes that have expired: they are refused for that."""
        for stored in await self._storage.list("used_passes/", limit=_SWEPT):
            if stored.value["until"] < time.time():
                await self._storage.delete(stored.key)

"""Password hashes: bcrypt in threads, a few at a time."""

from __future__ import annotations

import asyncio
import os

import bcrypt

from agentic.errors import BadRequest

LONGEST = 72
"""Bytes of a password that bcrypt reads; a longer one is refused instead of being cut."""
SHORTEST = 8
"""Characters that a password must have; twelve are better."""


class Passwords:
    """Makes and checks hashes. ``rounds`` is the base-2 logarithm of the cost: 12 take about 250 ms of one core.

    All but one of the cores may hash at the same time, so that a flood of logins leaves one to the rest of the server.
    """

    def __init__(self, rounds: int = 12) -> None:
        self._rounds = rounds
        self._places = asyncio.Semaphore(max(1, (os.cpu_count() or 1) - 1))

    async def hash(self, password: str) -> str:
        """The hash to store. Raises BadRequest for a password under 8 characters, over 72 bytes, or of broken text."""
        if not password:
            raise BadRequest("the password is empty", param="password")
        if len(password) < SHORTEST:
            raise BadRequest(
                f"the password has {len(password)} characters, {SHORTEST} is the least; 12 or more are better",
                param="password",
            )
        secret = _bytes(password)
        if secret != password.encode(errors="replace"):
            # Typed on a terminal of another encoding: no login could bring the same again.
            raise BadRequest("the password is not text in UTF-8", param="password")
        if len(secret) > LONGEST:
            raise BadRequest(f"the password has {len(secret)} bytes, {LONGEST} is the most", param="password")
        async with self._places:
            return await asyncio.to_thread(self._hash, secret)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether the password is the one behind ``stored``; None, for want of a user, costs the same time."""
        secret = _bytes(password)
        fits = len(secret) <= LONGEST
        async with self._places:
            if stored is None:
                await asyncio.to_thread(self._hash, secret[:LONGEST])
                return False
            equal = await asyncio.to_thread(bcrypt.checkpw, secret[:LONGEST], stored.encode())
        return equal and fits

    def _hash(self, secret: bytes) -> str:
        return bcrypt.hashpw(secret, bcrypt.gensalt(self._rounds)).decode()


def _bytes(password: str) -> bytes:
    # JSON may carry lone surrogates: they are a wrong password, not a fault of the server.
    return password.encode("utf-8", "surrogatepass")

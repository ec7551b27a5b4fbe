"""Port: signing in somewhere else, at a provider that vouches for its people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from agentic.ports.space import Role


@dataclass(frozen=True, slots=True)
class LoginStarted:
    """Where the browser goes to sign in, and what is needed to finish when it comes back.

    The kernel gives ``kept`` to that browser alone, signed and for some minutes, and takes it back once: nobody else
    can bring it, nobody can change it, but the person at the browser may read it.
    """

    url: str
    kept: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outsider:
    """A person that a provider vouches for. ``issuer`` and ``subject`` are what they are known by, and nothing else is.

    ``name`` is a wish for a user name and need not be one. ``role`` is given where the provider decides on it, at
    every login; None leaves it as it is. ``may_join``: a user is made where none is linked to them yet.
    """

    issuer: str
    subject: str
    name: str = ""
    role: Role | None = None
    may_join: bool = False


class LoginProvider(Protocol):
    """A place to sign in. ``title`` is what people read, such as "Example Inc."."""

    name: str
    title: str
    rank: int = 0

    async def start(self, redirect_uri: str) -> LoginStarted:
        """Begin a login that comes back to ``redirect_uri``. Raises LoginUnavailable while the provider is away."""
        ...

    async def finish(self, kept: Mapping[str, str], answer: Mapping[str, str], redirect_uri: str) -> Outsider:
        """Who has come back. ``answer`` is the query with which the browser came, ``kept`` from its ``start``.

        Raises Unauthorized where anything does not hold, Forbidden for a person who may not come in, and
        LoginUnavailable.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        return None

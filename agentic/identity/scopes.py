"""What an API key may be confined to. :func:`refuse_beyond` is asked once for every request, before any route."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum, auto

from agentic.errors import BadRequest, Forbidden
from agentic.ports.space import Principal, Role


class Scope(StrEnum):
    """What a key is good for. A key's user, its keys and passwords need a key without scopes, or a login.

    ``chat``: models, conversations and runs. ``files``: documents. ``read``: to look at all that is the user's, and
    change nothing. ``admin``: the users of the server, for administrators; it is as good as a key without scopes.
    """

    CHAT = auto()
    FILES = auto()
    READ = auto()
    ADMIN = auto()


_ALWAYS = "/api/auth/me"
_PLACES = {
    "/v1": Scope.CHAT,
    "/api/conversations": Scope.CHAT,
    "/api/runs": Scope.CHAT,
    "/api/route": Scope.CHAT,
    "/api/files": Scope.FILES,
    "/api/admin": Scope.ADMIN,
}
"""Paths, each with all below it, and the scope that opens them."""
_LOOKING = ("GET", "HEAD", "OPTIONS")


def checked(scopes: Iterable[str], role: Role) -> tuple[Scope, ...]:
    """The scopes in their order, each once. Raises BadRequest for one that there is not, or that ``role`` has not."""
    given = set(scopes)
    if not given <= set(Scope):
        raise BadRequest(f"the scopes of a key are some of: {', '.join(Scope)}", param="scopes")
    if Scope.ADMIN in given and role != "admin":
        raise BadRequest("the scope admin is for keys of administrators", param="scopes")
    return tuple(scope for scope in Scope if scope in given)


def refuse_beyond(principal: Principal, method: str, path: str) -> None:
    """Raises Forbidden for what the principal's role, or the scopes of their key, do not reach.

    ``path`` is the one that chooses the route. Where none of the paths here fits, a key with scopes may look at most.
    """
    needed = next((scope for place, scope in _PLACES.items() if path == place or path.startswith(place + "/")), None)
    if needed is Scope.ADMIN and principal.role != "admin":
        raise Forbidden("This is for administrators.")
    if not principal.scopes or path == _ALWAYS:
        return
    opening = {needed} if needed is not None else set()
    if method in _LOOKING and needed is not Scope.ADMIN:
        opening.add(Scope.READ)
    if opening.isdisjoint(principal.scopes):
        what = f"the scope {' or '.join(sorted(opening))}" if opening else "a key without scopes, or a login"
        raise Forbidden(f"This needs {what}; the API key has: {', '.join(principal.scopes)}.")

"""``/api/keys``: a user's own API keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from agentic.errors import NotFound
from agentic.identity.identity import Identity
from agentic.identity.keys import SHOWN, ApiKey
from agentic.identity.scopes import Scope, checked
from agentic.ports.space import Principal

router = APIRouter(prefix="/api/keys", tags=["keys"])


class KeyRequest(BaseModel, extra="forbid"):
    """What a key is for. ``scopes``: what it is good for, empty: everything; without ``expires_in_days`` it stays."""

    name: str
    scopes: Annotated[list[Scope], Field(max_length=16)] = []
    expires_in_days: float | None = None


class KeyShown(BaseModel):
    """A key as it may be shown; ``id`` is its beginning. Times: seconds since 1970, the last use to the minute."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: float
    expires_at: float | None
    last_used_at: float | None


class NewKey(KeyShown):
    """``key`` is shown this once."""

    key: str


class KeyList(BaseModel):
    """Keys, the oldest first."""

    keys: list[KeyShown]


@router.get("")
async def list_keys(request: Request) -> KeyList:
    """The caller's API keys: their beginnings, what they are good for, and when they were last used."""
    identity: Identity = request.app.state.kernel.identity
    return shown_list(await identity.keys.list(request.state.principal.id))


@router.post("", status_code=201)
async def create_key(body: KeyRequest, request: Request) -> NewKey:
    """Make an API key for oneself, for chosen scopes and days. It is shown this once."""
    identity: Identity = request.app.state.kernel.identity
    principal: Principal = request.state.principal
    scopes = checked(body.scopes, principal.role)
    key = await identity.keys.create(principal.id, body.name, scopes=scopes, expires_in_days=body.expires_in_days)
    made = next(one for one in await identity.keys.list(principal.id) if one.id == key[:SHOWN])
    return NewKey(key=key, **shown(made).model_dump())


@router.delete("/{key_id}")
async def revoke_key(key_id: str, request: Request) -> KeyShown:
    """End one of one's own keys at once, by its id."""
    return await revoke(request.app.state.kernel.identity, request.state.principal.id, key_id)


async def revoke(identity: Identity, user_id: str, key_id: str) -> KeyShown:
    """End a key of a user's by its whole id, and no other way. Raises NotFound."""
    if len(key_id) != SHOWN:
        raise NotFound("There is no such key.", param="key_id")
    return shown(await identity.keys.revoke(user_id, key_id))


def shown(key: ApiKey) -> KeyShown:
    """A key in an answer."""
    return KeyShown(
        id=key.id,
        name=key.label,
        scopes=[Scope(scope) for scope in key.scopes],
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
    )


def shown_list(keys: Sequence[ApiKey]) -> KeyList:
    """Keys in an answer."""
    return KeyList(keys=[shown(key) for key in keys])

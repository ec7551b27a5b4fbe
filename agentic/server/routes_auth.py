"""Routes to sign in, and to ask who one is."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, SecretStr

from agentic.identity.identity import Identity
from agentic.ports.space import Principal, Role

router = APIRouter(prefix="/api/auth", tags=["auth"])


class LoginRequest(BaseModel):
    """A user's name and password."""

    username: str
    password: SecretStr


class UserShown(BaseModel):
    """A user as others may see it; ``id`` is opaque."""

    id: str
    username: str
    role: Role


class LoginResponse(BaseModel):
    """The token to send as ``Authorization: Bearer``; ``expires_in``: seconds for which it holds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int
    user: UserShown


@router.post("/login")
async def login(body: LoginRequest, request: Request) -> LoginResponse:
    """Sign in: 401 for a wrong name or password, 429 with Retry-After after repeated failures."""
    identity: Identity = request.app.state.kernel.identity
    address = request.client.host if request.client else ""
    done = await identity.login(body.username, body.password.get_secret_value(), address)
    user = UserShown(id=done.user.id, username=done.user.name, role=done.user.role)
    return LoginResponse(access_token=done.access_token, expires_in=done.expires_in, user=user)


@router.get("/me")
async def me(request: Request) -> UserShown:
    """The user whose token or API key was sent."""
    principal: Principal = request.state.principal
    return UserShown(id=principal.id, username=principal.name, role=principal.role)

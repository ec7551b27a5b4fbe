"""Routes to sign in, to ask who one is, and to change one's password."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, SecretStr

from agentic.identity.identity import Identity, Login
from agentic.ports.space import Principal, Role

router = APIRouter(prefix="/api/auth", tags=["auth"])


class LoginRequest(BaseModel):
    """A user's name and password."""

    username: str
    password: SecretStr


class PasswordChange(BaseModel):
    """The password so far, and the new one: at least 8 characters, 12 or more are better, at most 72 bytes."""

    model_config = ConfigDict(extra="forbid")

    current_password: SecretStr
    new_password: SecretStr


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
    return signed_in(await identity.login(body.username, body.password.get_secret_value(), _address(request)))


@router.get("/me")
async def me(request: Request) -> UserShown:
    """The user whose token or API key was sent."""
    principal: Principal = request.state.principal
    return UserShown(id=principal.id, username=principal.name, role=principal.role)


@router.post("/password")
async def change_password(body: PasswordChange, request: Request) -> LoginResponse:
    """Change one's own password: earlier tokens end at once, the answer has a new one; 403 for a wrong current one."""
    identity: Identity = request.app.state.kernel.identity
    current, new = body.current_password.get_secret_value(), body.new_password.get_secret_value()
    return signed_in(await identity.change_password(request.state.principal, current, new, _address(request)))


def signed_in(done: Login) -> LoginResponse:
    """The answer to a login that went well."""
    user = UserShown(id=done.user.id, username=done.user.name, role=done.user.role)
    return LoginResponse(access_token=done.access_token, expires_in=done.expires_in, user=user)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""

"""Routes to sign in, and to ask who one is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, SecretStr

from agentic.errors import BadRequest
from agentic.identity.identity import Identity
from agentic.ports.space import Principal, Role


class DiscreetRoute(APIRoute):
    """A route whose validation errors name the field and the fault, and never what was sent."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with validation errors raised as BadRequest."""
        handle = super().get_route_handler()

        async def handle_discreetly(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                refusal = _without_input(error)
            # Outside of the except block: the chained error would carry the password into a logged traceback.
            raise refusal

        return handle_discreetly


router = APIRouter(prefix="/api/auth", tags=["auth"], route_class=DiscreetRoute)


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


def _without_input(error: RequestValidationError) -> BadRequest:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return BadRequest("the body is not valid JSON")
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    return BadRequest(f"{place or 'body'}: {first['msg']}", param=place or None)

"""``/api/auth``: signing in, here or at a provider to which the browser is sent and back, and one's own password."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, SecretStr
from starlette.responses import RedirectResponse, Response

from agentic.errors import AgenticError, BadRequest, NotFound
from agentic.identity.identity import Identity, Login
from agentic.identity.passes import LIFETIME_S
from agentic.kernel import Kernel
from agentic.messages import dump
from agentic.ports.login import LoginProvider
from agentic.ports.space import Principal, Role

router = APIRouter(prefix="/api/auth", tags=["auth"])

COOKIE = "agentic_login"
_PATH = re.compile(r"/(?![/\\])[\x21\x22\x24-\x5b\x5d-\x7e]*")
"""A path on this server: no browser reads it as the address of another one."""
_NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


class LoginRequest(BaseModel):
    """A user's name and password."""

    username: str
    password: SecretStr


class PasswordChange(BaseModel, extra="forbid"):
    """The password so far, and the new one: at least 8 characters, 12 or more are better, at most 72 bytes."""

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


class ProviderShown(BaseModel):
    """A place to sign in; ``url`` is where to send the browser."""

    name: str
    title: str
    url: str


class ProviderList(BaseModel):
    """Places to sign in, in the order in which to offer them."""

    logins: list[ProviderShown]


@router.post("/login")
async def login(body: LoginRequest, request: Request) -> LoginResponse:
    """Sign in: 401 for a wrong name or password, 429 with Retry-After after repeated failures."""
    identity: Identity = request.app.state.kernel.identity
    return _signed_in(await identity.login(body.username, body.password.get_secret_value(), _address(request)))


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
    return _signed_in(await identity.change_password(request.state.principal, current, new, _address(request)))


@router.get("/logins")
async def list_logins(request: Request) -> ProviderList:
    """The places besides this server where one can sign in."""
    kernel: Kernel = request.app.state.kernel
    found = kernel.catalog.logins().values()
    return ProviderList(
        logins=[ProviderShown(name=one.name, title=one.title, url=f"/api/auth/login/{one.name}") for one in found]
    )


@router.get("/login/{provider}")
async def begin_login(
    provider: str,
    request: Request,
    return_to: Annotated[str, Query(max_length=1000, description="Path or allowed origin to come back to")] = "",
) -> Response:
    """Send the browser to a provider to sign in; it comes back to ``return_to`` with the token behind a #."""
    kernel: Kernel = request.app.state.kernel
    chosen = _provider(kernel, provider)
    _check_return(return_to, kernel.settings.cors_origins)
    back = _callback(request, kernel, provider)
    started = await chosen.start(back)
    await kernel.identity.passes.ready()
    response = RedirectResponse(started.url, 303, _NO_STORE)
    response.set_cookie(
        COOKIE,
        kernel.identity.passes.give(provider, started.kept, return_to),
        max_age=LIFETIME_S,
        path=urlsplit(back).path,
        secure=back.startswith("https:"),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/login/{provider}/callback")
async def finish_login(provider: str, request: Request) -> Response:
    """Where a provider sends the browser back to: answers with the token, or goes on to ``return_to`` with it."""
    kernel: Kernel = request.app.state.kernel
    chosen = _provider(kernel, provider)
    back = _callback(request, kernel, provider)
    given = request.cookies.get(COOKIE, "")
    await kernel.identity.passes.ready()
    return_to = kernel.identity.passes.read(provider, given).return_to
    try:
        done = _signed_in(await kernel.identity.login_elsewhere(chosen, given, dict(request.query_params), back))
    except AgenticError as error:
        if not return_to:
            raise
        told = {"error": error.code or error.type, "error_description": error.message}
        response: Response = RedirectResponse(f"{return_to}#{urlencode(told)}", 303, _NO_STORE)
    else:
        token = done.model_dump(include={"access_token", "token_type", "expires_in"})
        if return_to:
            # Behind a #, so that neither a proxy nor a log on the way there sees it.
            response = RedirectResponse(f"{return_to}#{urlencode(token)}", 303, _NO_STORE)
        else:
            response = Response(dump(done.model_dump()), headers=_NO_STORE, media_type="application/json")
    response.delete_cookie(COOKIE, path=urlsplit(back).path)
    return response


def _signed_in(done: Login) -> LoginResponse:
    """The answer to a login that went well."""
    user = UserShown(id=done.user.id, username=done.user.name, role=done.user.role)
    return LoginResponse(access_token=done.access_token, expires_in=done.expires_in, user=user)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _provider(kernel: Kernel, name: str) -> LoginProvider:
    chosen = kernel.catalog.logins().get(name)
    if chosen is None:
        raise NotFound("There is no such place to sign in.", param="provider")
    return chosen


def _callback(request: Request, kernel: Kernel, provider: str) -> str:
    """The address that the provider sends the browser back to, the same one at both ends of a login."""
    base = (kernel.settings.public_url or str(request.base_url)).rstrip("/")
    return f"{base}/api/auth/login/{provider}/callback"


def _check_return(return_to: str, origins: list[str]) -> None:
    """Raises BadRequest for what would hand the token to a stranger's page."""
    if not return_to or _PATH.fullmatch(return_to):
        return
    known = [origin.rstrip("/") for origin in origins if origin.startswith(("https://", "http://"))]
    origin = next((one for one in known if f"{return_to}/".startswith(f"{one}/")), None)
    if origin is None or not _PATH.fullmatch(return_to.removeprefix(origin) or "/"):
        raise BadRequest("return_to is a path on this server, or a page of CORS_ORIGINS", param="return_to")

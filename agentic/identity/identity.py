"""The door: logins, and who a token or an API key belongs to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from agentic.errors import Conflict, Forbidden, Unauthorized
from agentic.identity.keys import PREFIX, ApiKeys
from agentic.identity.limits import Meter
from agentic.identity.outsiders import Outsiders
from agentic.identity.passes import Passes
from agentic.identity.throttle import Throttle
from agentic.identity.tokens import Tokens
from agentic.identity.users import User, Users, unknown
from agentic.ports.login import LoginProvider
from agentic.ports.space import Principal
from agentic.ports.storage import StorageBackend

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """A login that went well. ``expires_in``: seconds for which the token holds."""

    access_token: str = field(repr=False)
    expires_in: int
    user: User


class Identity:
    """Users, API keys and logins over one storage.

    ``secret`` signs the tokens, which hold for ``token_hours``; ``rounds`` is the cost of a password hash; ``meter``
    holds users to their limits, of which there are none without it. What any process changed of a user or a key holds
    everywhere once that has returned, see :class:`agentic.identity.leases.Leases`.
    """

    def __init__(
        self,
        storage: StorageBackend,
        *,
        secret: str,
        token_hours: float,
        rounds: int = 12,
        meter: Meter | None = None,
    ) -> None:
        self.users = Users(storage, rounds=rounds)
        self.keys = ApiKeys(storage)
        self.outsiders = Outsiders(storage, self.users)
        self.passes = Passes(storage, secret)
        self.meter = meter or Meter(storage)
        self._tokens = Tokens(secret, token_hours * 3600)
        self._throttle = Throttle()
        self._sparing = asyncio.Lock()

    async def login(self, name: str, password: str, address: str) -> Login:
        """Sign in. ``address`` is the client's.

        Raises Unauthorized, with the same words for an unknown user, a wrong password and a disabled user;
        RateLimited after repeated failures of this name from this address; StorageError.
        """
        user = await self._throttle.attempt(name, address, lambda: self.users.verify(name, password))
        if user is None:
            # Not the name: people type their password into the wrong field.
            logger.warning("[Identity] Login refused: address=%s", address)
            raise Unauthorized("user name or password is wrong")
        logger.info("[Identity] Login: user=%s address=%s", user.id, address)
        return await self._signed_in(user)

    async def login_elsewhere(
        self, provider: LoginProvider, given: str, answer: Mapping[str, str], redirect_uri: str
    ) -> Login:
        """Sign in a browser that comes back from a provider with the pass ``given`` to it.

        Raises what the provider raises; Unauthorized for a pass that is not this browser's, too old or used; Forbidden
        for a person who is no user here, or a disabled one; StorageError.
        """
        one = self.passes.read(provider.name, given)
        outsider = await provider.finish(one.kept, answer, redirect_uri)
        await self.passes.take(one)
        user = await self.outsiders.admit(outsider)
        logger.info("[Identity] Login: user=%s provider=%s", user.id, provider.name)
        return await self._signed_in(user)

    async def change_password(self, principal: Principal, current: str, new: str, address: str) -> Login:
        """Give oneself a new password; all tokens end, and the new one in the result holds.

        Raises Forbidden where ``current`` is wrong, Conflict for a user who has no password; RateLimited as at a
        login; BadRequest for a new one that cannot be; StorageError.
        """
        if not await self.users.has_password(principal.id):
            raise Conflict("you sign in elsewhere, and have no password here", param="current_password")
        name = principal.name
        user = await self._throttle.attempt(name, address, lambda: self.users.verify(name, current))
        if user is None:
            logger.warning("[Identity] Change of password refused: user=%s address=%s", principal.id, address)
            raise Forbidden("the current password is wrong")
        return await self._signed_in(await self.users.set_password(name, new))

    async def authenticate(self, bearer: str) -> Principal:
        """Who sent this token or API key. Raises Unauthorized or StorageError."""
        if bearer.startswith(PREFIX):
            grant = await self.keys.find(bearer)
            user = await self.users.get(grant.user_id, leased=True) if grant else None
            if grant is None or user is None or user.disabled:
                raise Unauthorized("the API key is not valid")
            self.keys.note_use(grant)
            return self._principal(user, "key", grant.scopes)
        user = await self._by_token(bearer)
        if user is None or user.disabled:
            raise Unauthorized("the token is not valid")
        return self._principal(user, "token")

    async def sole_admin(self) -> User | None:
        """The one enabled user with the role admin; None if there is none, or several."""
        admins = await self._admins()
        return admins[0] if len(admins) == 1 else None

    async def sparing_an_admin(self, name: str, change: Callable[[], Awaitable[User]]) -> User:
        """What ``change`` gives, which shuts this user out or takes their role.

        Raises Conflict where this is the only admin who can come in: nobody could manage the users then. Of changes at
        several servers at once none may see the others, so one that has left nobody is undone.
        """
        if name not in [user.name for user in await self._admins()]:
            return await change()
        spared = Conflict(f"'{name}' is the only administrator; make another one first", param="username")
        async with self._sparing:
            if [user.name for user in await self._admins()] == [name]:
                raise spared
            changed = await change()
            if not await self._admins():
                await self.users.set_role(name, "admin")
                await self.users.set_disabled(name, False)
                raise spared
            return changed

    async def user(self, name: str) -> User:
        """The user of this name. Raises NotFound."""
        user = await self.users.find(name)
        if user is None:
            raise unknown(name)
        return user

    async def _admins(self) -> list[User]:
        return [user for user in await self.users.list() if user.role == "admin" and not user.disabled]

    async def aclose(self) -> None:
        """Store what is still to be noted."""
        await self.keys.aclose()

    def _principal(self, user: User, via: str, scopes: tuple[str, ...] = ()) -> Principal:
        return Principal(user.id, user.name, user.role, via, scopes, self.meter.allowance(user.limits))

    async def _signed_in(self, user: User) -> Login:
        await self._tokens.ready()
        return Login(self._tokens.issue(user), int(self._tokens.lifetime_s), user)

    async def _by_token(self, token: str) -> User | None:
        await self._tokens.ready()
        user_id, version = self._tokens.read(token)
        user = await self.users.get(user_id, leased=True)
        return user if user and user.token_version == version else None

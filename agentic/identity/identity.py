"""The door: logins, and who a token or an API key belongs to."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from agentic.errors import Unauthorized
from agentic.identity.keys import PREFIX, ApiKeys, digest_of
from agentic.identity.throttle import Throttle
from agentic.identity.tokens import Tokens
from agentic.identity.users import User, Users
from agentic.ports.space import Principal
from agentic.ports.storage import StorageBackend

logger = logging.getLogger(__name__)

_MOST_OWNERS = 10_000


@dataclass(frozen=True, slots=True)
class Login:
    """A login that went well. ``expires_in``: seconds for which the token holds."""

    access_token: str = field(repr=False)
    expires_in: int
    user: User


class Identity:
    """Users, API keys and logins over one storage.

    ``secret`` signs the tokens, which hold for ``token_hours``; ``rounds`` is the cost of a password hash. A user's
    state is read from storage at every request: what another process changed holds at once.
    """

    def __init__(self, storage: StorageBackend, *, secret: str, token_hours: float, rounds: int = 12) -> None:
        self.users = Users(storage, rounds=rounds)
        self.keys = ApiKeys(storage)
        self._tokens = Tokens(secret, token_hours * 3600)
        self._throttle = Throttle()
        self._owners: dict[str, str] = {}

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
        return Login(self._tokens.issue(user), int(self._tokens.lifetime_s), user)

    async def authenticate(self, bearer: str) -> Principal:
        """Who sent this token or API key. Raises Unauthorized or StorageError; reads storage once or twice."""
        is_key = bearer.startswith(PREFIX)
        user = await (self._by_key(bearer) if is_key else self._by_token(bearer))
        if user is None or user.disabled:
            raise Unauthorized(f"the {'API key' if is_key else 'token'} is not valid")
        return Principal(user.id, user.name, user.role, via="key" if is_key else "token")

    async def sole_admin(self) -> User | None:
        """The one enabled user with the role admin; None if there is none, or several."""
        admins = [user for user in await self.users.list() if user.role == "admin" and not user.disabled]
        return admins[0] if len(admins) == 1 else None

    async def _by_key(self, key: str) -> User | None:
        """Whose key this is. A key never changes hands, so where its user was seen before both are read at once."""
        digest = digest_of(key)
        known = self._owners.get(digest)
        if known is None:
            user_id = await self.keys.find(key)
            if user_id is None:
                return None
            if len(self._owners) >= _MOST_OWNERS:
                self._owners.clear()
            self._owners[digest] = user_id
            return await self.users.get(user_id)
        user_id, user = await asyncio.gather(self.keys.find(key), self.users.get(known))
        return user if user_id == known else None

    async def _by_token(self, token: str) -> User | None:
        user_id, version = self._tokens.read(token)
        user = await self.users.get(user_id)
        return user if user and user.token_version == version else None

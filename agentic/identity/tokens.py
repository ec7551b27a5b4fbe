"""Access tokens (JWT, HS256) and the key that signs them."""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
import time
from pathlib import Path

from agentic.errors import ConfigurationError, Unauthorized
from agentic.identity.signing import Expired, NotSigned, Signer
from agentic.identity.users import User

logger = logging.getLogger(__name__)

SHORTEST = 32
"""Bytes that a secret key must have: as many as the hash of HS256."""

_LONGEST_TOKEN = 4096
_PUBLISHED = (
    "dev-secret-key",
    "changeme",
    "change-me",
    "change-this",
    "change-in-production",
    "your-secure-key",
    "your-secret",
    "replace-me",
)
_REPAIR = "Make DATA_DIR writable, or set SECRET_KEY."
_EXAMPLE = "Example: SECRET_KEY=$(openssl rand -hex 32); left unset, one is made and kept in the data folder"


class Tokens:
    """Issues and reads tokens. ``lifetime_s``: seconds from issue to expiry."""

    def __init__(self, secret: str, lifetime_s: float) -> None:
        self.lifetime_s = lifetime_s
        self._signer = Signer(secret)
        self.ready = self._signer.ready

    def issue(self, user: User) -> str:
        """A token that says who the user is and which version of the user it was made for."""
        # No time of issue: joserfc refuses one in the future, and the clocks of several servers differ.
        claims = {"sub": user.id, "ver": user.token_version, "exp": int(time.time() + self.lifetime_s)}
        return self._signer.sign(claims)

    def read(self, token: str) -> tuple[str, int]:
        """The user's id and token version. Raises Unauthorized for a token that is expired, or not of our making."""
        if len(token) > _LONGEST_TOKEN:
            raise _invalid()
        try:
            claims = self._signer.read(token, sub={"essential": True}, ver={"essential": True})
        except Expired:
            raise Unauthorized("the token has expired; sign in again") from None
        except NotSigned:
            raise _invalid() from None
        user_id, version = claims["sub"], claims["ver"]
        if not isinstance(user_id, str) or type(version) is not int:
            raise _invalid()
        return user_id, version


def secret_key(configured: str | None, data_dir: Path) -> str:
    """The key that signs tokens: SECRET_KEY, or one made at the first start and kept in ``data_dir/secret_key``.

    Blocks on the disk. Raises ConfigurationError for a key under 32 bytes or one that was published as an example,
    and where the made one cannot be kept.
    """
    if configured:
        return _checked(configured, "SECRET_KEY")
    path = data_dir / "secret_key"
    try:
        if not path.exists():
            _make(path)
        return _checked(_kept(path), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the secret key cannot be kept in {path}: {error}. {_REPAIR} {_EXAMPLE}") from error


def _make(path: Path) -> None:
    """Write a new key under its final name in one step; where another process was quicker, its key stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=".secret_key.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
        logger.info("[Identity] Secret key made: %s", path)
    except FileExistsError:
        logger.debug("[Identity] Secret key was made by another process: %s", path)
    finally:
        Path(draft).unlink()


def _kept(path: Path) -> str:
    if os.name == "posix" and path.stat().st_mode & 0o077:
        logger.warning("[Identity] Secret key was open to other users of this machine, closed: %s", path)
        path.chmod(0o600)
    return path.read_text(encoding="utf-8").strip()


def _checked(secret: str, source: str) -> str:
    size = len(secret.encode("utf-8", "surrogatepass"))
    if size < SHORTEST:
        raise ConfigurationError(f"{source} has {size} bytes, {SHORTEST} is the least. {_EXAMPLE}")
    plain = secret.lower().replace("_", "-").replace(" ", "-")
    if any(published in plain for published in _PUBLISHED):
        raise ConfigurationError(f"{source} is a published example that anybody can look up. {_EXAMPLE}")
    return secret


def _invalid() -> Unauthorized:
    return Unauthorized("the token is not valid")

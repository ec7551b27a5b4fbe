"""The plugin's settings."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr

HOW_TO_SET = (
    "Register a client at your provider, with the redirect address <server>/api/auth/login/oidc/callback, and set "
    "OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET"
)
_HERE = ("localhost", "127.0.0.1", "::1")


def _protected(issuer: str) -> str:
    """Raises ValueError for an address that others on the way could answer for."""
    parts = urlsplit(issuer)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
        raise ValueError("an issuer begins with https://; http:// is for a provider on this machine")
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an issuer is an address without query and fragment")
    return issuer


def _listed(values: Any) -> Any:
    return [values] if isinstance(values, (str, bool, int)) else values


Accepted = Annotated[list[str | bool | int], BeforeValidator(_listed)]


class Settings(BaseModel):
    """Which provider, as which client, and who may come in."""

    oidc_issuer: Annotated[str, AfterValidator(_protected)] | None = Field(
        None,
        description="The provider's address, exactly as its tokens name it",
        examples=["https://login.example.org/realms/staff"],
    )
    oidc_client_id: str | None = Field(None, description="This server's name at the provider")
    oidc_client_secret: SecretStr | None = Field(
        None, description="This server's password there; unset, it is a public client, which PKCE alone protects"
    )
    oidc_title: str = Field("Single sign-on", description="What people read where they choose how to sign in")
    oidc_scopes: str = Field("openid email profile", description="What is asked for, separated by spaces")
    oidc_name_claim: str = Field("preferred_username", description="The claim that a new user is named after")
    oidc_auto_create: bool = Field(
        False, description="Make a user for a person who comes for the first time; off, an administrator links them"
    )
    oidc_allowed_domains: list[str] = Field(
        [],
        description="Domains of verified mail addresses for whose people users are made; unset, all",
        examples=["example.org"],
    )
    oidc_required_claims: dict[str, Accepted] = Field(
        {},
        description="Claims that whoever signs in must have, each with the accepted values, as JSON",
        examples=[{"groups": ["staff", "guests"]}],
    )
    oidc_admin_claims: dict[str, Accepted] = Field(
        {},
        description="Claims of which any makes an administrator, and none a user, at every login; unset: roles are "
        "given here",
        examples=[{"groups": "agentic-admins"}],
    )

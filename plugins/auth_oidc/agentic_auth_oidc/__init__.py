"""Login through an OpenID Connect provider."""

from typing import Any

from agentic import LoginProvider, NotConfigured, hookimpl


@hookimpl
def agentic_settings() -> Any:
    """Which provider, as which client, and who may come in."""
    from agentic_auth_oidc.settings import Settings

    return Settings


@hookimpl
def agentic_logins(settings: Any) -> LoginProvider | NotConfigured:
    """The login ``oidc``; the provider is asked when somebody first signs in."""
    from agentic_auth_oidc.login import OidcLogin
    from agentic_auth_oidc.settings import HOW_TO_SET

    if not settings.oidc_issuer or not settings.oidc_client_id:
        return NotConfigured(OidcLogin.name, HOW_TO_SET)
    return OidcLogin(settings)

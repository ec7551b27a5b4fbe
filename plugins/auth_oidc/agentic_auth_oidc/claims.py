"""What a person's claims mean here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def is_accepted(claims: Mapping[str, Any], claim: str, accepted: Sequence[Any]) -> bool:
    """Whether a claim, or one of its values where it is a list, is an accepted one.

    ``claim`` may be a path such as ``realm_access.roles``.
    """
    found = value_of(claims, claim)
    values = found if isinstance(found, list) else [found]
    # Booleans equal numbers in Python, and "true" is not true: only what is of one type is compared.
    return any(type(one) is type(value) and one == value for one in values for value in accepted)


def value_of(claims: Mapping[str, Any], claim: str) -> Any:
    """The claim of this name, or else the one at this path; None where there is none."""
    if claim in claims:
        return claims[claim]
    value: Any = claims
    for part in claim.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def may_join(claims: Mapping[str, Any], domains: Sequence[str]) -> bool:
    """Whether a user may be made for this person: the mail address is verified and of one of the domains."""
    if not domains:
        return True
    mail = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(mail, str):
        return False
    return mail.rpartition("@")[2].lower() in {domain.lower().removeprefix("@") for domain in domains}


def wished_name(claims: Mapping[str, Any], claim: str) -> str:
    """A name for a new user: the claim, or what stands before the @ of the mail address, or nothing."""
    for found in (value_of(claims, claim), claims.get("email")):
        if isinstance(found, str) and found.strip():
            return found.partition("@")[0]
    return ""

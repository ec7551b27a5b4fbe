"""As whom a command on this machine asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentic.errors import NotFound

if TYPE_CHECKING:
    from agentic.kernel import Kernel
    from agentic.ports.space import Principal

LOCAL = "local"
"""The id and name under which someone without a user account asks on this machine."""


async def principal_of(kernel: Kernel, name: str | None) -> Principal:
    """The enabled user of this name; without one the only admin, or else a local one. Raises NotFound."""
    from agentic.ports.space import Principal

    users = kernel.identity.users
    found = await (users.find(name) if name else kernel.identity.sole_admin())
    if found is not None and not found.disabled:
        return Principal(found.id, found.name, found.role, via="cli")
    if name:
        raise NotFound(f"There is no enabled user '{name}'. Run: agentic users list")
    return Principal(LOCAL, LOCAL, "user", via="cli")

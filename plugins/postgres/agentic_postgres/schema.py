"""The schema that holds all tables, as the statements of each use name it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema by its name."""

    name: str

    @property
    def schema(self) -> str:
        """The schema, as SQL has it."""
        return f'"{self.name}"'

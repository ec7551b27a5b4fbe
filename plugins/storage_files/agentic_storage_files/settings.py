"""Settings of the storage in files: where the parts of the tree lie that people look for by name."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, ValidationInfo, field_validator

NAME = "files"


class Settings(BaseModel):
    """Three folders of the tree. They mean nothing to another storage, and are refused where one is chosen."""

    storage: str | None = Field(None, description="The server's own setting: these folders need STORAGE=files")
    users_path: Path | None = Field(
        None, description="The folder of users, one file each; unset, users in DATA_DIR", examples=["./data/users"]
    )
    sessions_path: Path | None = Field(
        None,
        description="The folder of what plugins keep for a session; unset, sessions in DATA_DIR",
        examples=["./data/sessions"],
    )
    conversations_path: Path | None = Field(
        None,
        description="The folder of conversations, a folder for each user; unset, conversations in DATA_DIR",
        examples=["./data/conversations"],
    )

    @field_validator("users_path", "sessions_path", "conversations_path")
    @classmethod
    def _belongs_here(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is None:
            return None
        chosen = info.data.get("storage")
        if (chosen or "").strip().lower() != NAME:
            raise ValueError(
                f"it belongs to the storage '{NAME}', and another one is chosen: set STORAGE={NAME}, or leave it unset"
            )
        if path.suffix == ".json":
            raise ValueError("it names a folder, in which each user or session has a file: leave out the file's name")
        return path.expanduser()

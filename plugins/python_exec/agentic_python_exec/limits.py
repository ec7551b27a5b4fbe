"""The limits of one program, as the sandbox is told them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from agentic import Json
from agentic_python_exec.settings import Settings

_MB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds and bytes. ``files`` counts everything in the program's folder, ``depth`` its folders within folders;
    ``out_…`` is what is taken out of it.

    ``processes`` counts the keeper, the program and its threads.
    """

    wall: float = 20
    cpu: int = 15
    memory: int = 1536 * _MB
    disk: int = 128 * _MB
    file: int = 64 * _MB
    files: int = 2000
    depth: int = 32
    descriptors: int = 128
    processes: int = 32
    output: int = 200_000
    in_files: int = 32
    in_bytes: int = 32 * _MB
    out_files: int = 32
    out_bytes: int = 32 * _MB

    def as_json(self) -> Json:
        """What ``inside`` reads."""
        return asdict(self)


def limits_of(settings: Settings) -> Limits:
    """The limits that the settings make."""
    disk = settings.python_exec_disk_mb * _MB
    return Limits(
        wall=settings.python_exec_timeout,
        cpu=settings.python_exec_cpu,
        memory=settings.python_exec_memory_mb * _MB,
        disk=disk,
        file=min(disk, 64 * _MB),
        # Half of the folder is left for what the program makes of them.
        in_bytes=min(disk // 2, 32 * _MB),
    )

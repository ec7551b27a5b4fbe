"""The embedded model, for trying things out without a model server."""

from pathlib import Path

from pydantic import BaseModel

from agentic import ModelProvider, hookimpl
from agentic_llamacpp.settings import Settings


@hookimpl
def agentic_settings() -> type[BaseModel]:
    """AGENTIC_MODEL_FILE."""
    return Settings


@hookimpl
def agentic_model_providers(settings: Settings, data_dir: Path) -> ModelProvider:
    """The provider ``llamacpp``; it fetches, starts and imports nothing until a model is asked to answer."""
    from agentic_llamacpp.provider import LlamaCpp

    return LlamaCpp((data_dir / "models").absolute(), settings.agentic_model_file)

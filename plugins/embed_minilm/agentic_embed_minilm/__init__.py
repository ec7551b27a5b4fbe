"""all-MiniLM-L6-v2 embeddings inside the process."""

from agentic import EmbedderProvider, hookimpl


@hookimpl
def agentic_embedders() -> EmbedderProvider:
    """The provider ``minilm``; onnxruntime and the model are loaded when a text is first embedded."""
    from agentic_embed_minilm.embedder import MiniLMProvider

    return MiniLMProvider()

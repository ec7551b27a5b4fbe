"""The embedded model, for trying things out without a model server."""

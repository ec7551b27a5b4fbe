"""Plain conversation with the model."""

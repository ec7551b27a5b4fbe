"""One way to speak to every model."""

"""Events to and from the wire formats."""

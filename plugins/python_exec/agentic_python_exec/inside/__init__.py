"""What runs within the sandbox, with the standard library alone. The server copies this folder into the runtime."""

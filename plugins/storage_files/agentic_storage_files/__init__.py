"""Users, conversations and runs as readable JSON files."""

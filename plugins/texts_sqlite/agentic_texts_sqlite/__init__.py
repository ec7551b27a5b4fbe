"""Full text in SQLite's FTS5."""

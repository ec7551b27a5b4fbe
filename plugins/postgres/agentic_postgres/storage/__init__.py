"""What STORAGE=postgres keeps: documents and logs by key."""

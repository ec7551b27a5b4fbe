"""all-MiniLM-L6-v2 embeddings inside the process."""

"""A user's documents: uploaded, read, told to the indexers, searched, and removed without a trace."""

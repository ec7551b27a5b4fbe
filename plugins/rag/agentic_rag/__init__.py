"""Answers from a user's documents: hybrid retrieval with citations."""

"""Vectors in FAISS, in memory for each user, over one folder a document."""

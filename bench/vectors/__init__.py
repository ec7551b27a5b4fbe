"""Stores of vectors beside one another: speed, recall, memory."""

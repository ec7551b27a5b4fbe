"""Exact and decimal mathematics with SymPy."""

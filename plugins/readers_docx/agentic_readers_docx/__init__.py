"""Reads DOCX documents, with tables in order."""

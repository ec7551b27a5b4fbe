"""Reads PDF documents, page by page."""

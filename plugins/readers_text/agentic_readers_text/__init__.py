"""Reads plain text, Markdown, HTML, JSON and CSV documents."""

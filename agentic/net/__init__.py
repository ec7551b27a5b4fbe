"""The client for addresses that strangers name: what it may reach, and how it gets there."""

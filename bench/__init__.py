"""Measurements, each beside a baseline that runs with it."""

"""Reason, act, observe: one tool step after another."""

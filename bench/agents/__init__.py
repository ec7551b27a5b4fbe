"""What agents cost: model calls, wall time, and what they add to the time of models and tools."""

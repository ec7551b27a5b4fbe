"""What each storage costs: saves, loads, appends and listings a second, with 1 and 16 writers."""

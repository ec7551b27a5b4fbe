"""What is installed: found, checked, configured, listed."""

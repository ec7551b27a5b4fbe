"""How fast readers take documents apart."""

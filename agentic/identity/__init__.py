"""Who may come in: users, passwords, tokens and API keys."""

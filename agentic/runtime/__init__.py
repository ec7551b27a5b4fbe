"""How a request becomes a run, and a run an answer."""

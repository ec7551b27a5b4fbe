"""How well installed tools fit a request, and how the request is built: what agents bid by."""

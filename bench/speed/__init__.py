"""What the server itself costs: ours beside the model server alone and beside a bare one. ``python -m bench.speed``."""

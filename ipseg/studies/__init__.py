"""Studies of results: comparison, galleries, ablation."""

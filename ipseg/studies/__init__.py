"""Questions about results: comparison, galleries, ablation."""

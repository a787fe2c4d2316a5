"""Labelling by example images inside other tools; each module needs an extra of its own."""

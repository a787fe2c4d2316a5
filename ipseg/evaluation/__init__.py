"""Predict, then score what was predicted."""

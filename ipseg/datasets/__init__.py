"""Datasets as episodes (prompt image, query image), one file per layout."""

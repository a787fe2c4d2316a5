"""Datasets as episodes, one file per layout."""

"""Engines: presets, hardware, placement, and how one is built."""

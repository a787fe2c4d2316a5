"""The version, where packaging, the page and the records of runs read it."""

__version__ = "0.1.0"

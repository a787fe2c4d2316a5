"""Promptable segmenters, one file each: see :class:`ipseg.core.types.Segmenter`."""

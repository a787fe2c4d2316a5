"""Promptable segmenters, one file each: see :class:`ipseg.types.Segmenter`."""

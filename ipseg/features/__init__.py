"""Dense features, one file per extractor: see :class:`ipseg.core.types.FeatureExtractor`."""

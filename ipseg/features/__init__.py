"""Dense features, one file per extractor: see :class:`ipseg.types.FeatureExtractor`."""

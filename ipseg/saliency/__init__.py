"""What stands out in a picture, one file per unsupervised method: see :class:`ipseg.core.types.SaliencyMethod`."""

"""What stands out in an image, one file per unsupervised method: see :class:`ipseg.core.types.SaliencyMethod`."""

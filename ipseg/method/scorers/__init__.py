"""Ways to compare a prompt with an input image, one file each: see :class:`ipseg.core.types.Scorer`.

A scorer holds settings alone. It gets the features of the prompt images with their object cells, makes its model of
them, and scores cells, whole masks and the presence of the object in an input image.
"""

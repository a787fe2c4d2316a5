"""Label a dataset: classes shown by example images, every instance of them in every image, in any format."""

"""What the parts of the offline engine share: images as regions, their texture, and cuts through both."""

"""What the parts of the offline engine share: pictures as regions, their texture, and cuts through both."""

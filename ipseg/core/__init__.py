"""Value objects, images, masks, geometry and storage, used by every other package."""

"""Value objects, images, geometry and storage: what every other package stands on."""

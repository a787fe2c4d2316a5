"""Many images, or the frames of a clip, with one prompt: in from a folder, a zip or a file, out as masks."""

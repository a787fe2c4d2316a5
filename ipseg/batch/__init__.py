"""Segment one prompt in many images (folder, zip, files) or in the frames of a clip; export the masks."""

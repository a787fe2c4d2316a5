"""The studio in which the example images are taken: things, grounds, lights, scenes. Runs inside Blender."""

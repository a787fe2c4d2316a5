"""The studio in which the example pictures are taken: things, grounds, lights, scenes. Runs inside Blender."""

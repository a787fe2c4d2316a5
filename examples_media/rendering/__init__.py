"""The scenes of the example images: objects, surfaces, lights, scenes. Runs inside Blender."""

"""An object that moves while the shutter is open."""

import bpy


def move(root, way):
    """Let `root` travel by `way`, (x, y), about its place during the one frame that is rendered."""
    stage, home = bpy.context.scene, root.location.copy()
    for frame, share in ((0, -1.0), (2, 1.0)):
        root.location = (home[0] + share * way[0], home[1] + share * way[1], home[2])
        root.keyframe_insert("location", frame=frame)
    for curve in root.animation_data.action.fcurves:
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"
    stage.render.motion_blur_shutter = 1.0
    stage.cycles.motion_blur_position = "CENTER"
    stage.frame_set(1)

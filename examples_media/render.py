"""Render the example images and their exact masks with Blender (3.4 or newer, Cycles on the CPU).

blender --background --python examples_media/render.py -- [--only red_mug/00 ...] [--output DIR] [--samples N]
"""

import argparse
import math
import sys
import tempfile
import time
import zlib
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from rendering.denoise import denoise  # noqa: E402
from rendering.failure_cases import CASES  # noqa: E402
from rendering.gallery import files, write_index  # noqa: E402
from rendering.household import HOUSEHOLD  # noqa: E402
from rendering.lights import LIGHTS  # noqa: E402
from rendering.motion import move  # noqa: E402
from rendering.prompt_sets import KINDS  # noqa: E402
from rendering.props import PROPS  # noqa: E402
from rendering.scenes import chosen  # noqa: E402
from rendering.several import SEVERAL  # noqa: E402
from rendering.surfaces import build_surface  # noqa: E402
from rendering.targets import TARGETS  # noqa: E402
from rendering.walls import build_wall  # noqa: E402

TARGET_INDEX = 1
STEP = 40  # grey levels of the mask from one instance to the next, where an image holds several


def put(placed, index):
    """Build an object under one parent; `index` is what the object-index pass shows for it."""
    root = bpy.data.objects.new(f"{placed.kind} {index}", None)
    bpy.context.scene.collection.objects.link(root)
    for part in (TARGETS | HOUSEHOLD | PROPS)[placed.kind](placed.colour):
        part.parent, part.pass_index = root, index
    root.location = (*placed.at, placed.lift)
    root.rotation_euler = [math.radians(angle) for angle in (*placed.tilt, placed.yaw)]
    root.scale = (placed.scale,) * 3
    return root


def aim_camera(view, target):
    """Place the camera on its sphere about the target and focus it on the front of the target object."""
    data = bpy.data.cameras.new("camera")
    data.lens, data.sensor_width, data.sensor_height = 50.0, 36.0, 36.0
    data.sensor_fit = "HORIZONTAL" if view.size[0] >= view.size[1] else "VERTICAL"
    camera = bpy.data.objects.new("camera", data)
    bpy.context.scene.collection.objects.link(camera)
    a, e = math.radians(view.azimuth), math.radians(view.elevation)
    way = Vector((math.sin(a) * math.cos(e), -math.cos(a) * math.cos(e), math.sin(e)))
    camera.location = Vector(view.target) + view.distance * way
    camera.rotation_euler = (-way).to_track_quat("-Z", "Y").to_euler()
    front = Vector((*target.at, 0.5 * target.scale)) + 0.25 * target.scale * way
    data.dof.use_dof, data.dof.aperture_fstop = True, view.fstop
    data.dof.focus_distance = (camera.location - front).dot(way)
    bpy.context.scene.camera = camera


def set_up(scene, samples, size):
    """An empty Blender with the scene in it and Cycles ready."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    seed = zlib.crc32(scene.name.encode())
    build_surface(scene.stage.surface, np.random.default_rng(seed))
    build_wall(scene.stage.wall)
    LIGHTS[scene.stage.light]()
    target = put(scene.target, TARGET_INDEX)
    if any(scene.moved):
        move(target, scene.moved)
    for number, other in enumerate(scene.others):
        put(other, TARGET_INDEX + 1 + number)
    aim_camera(scene.view, scene.target)
    stage = bpy.context.scene
    stage.render.engine = "CYCLES"
    stage.render.resolution_x, stage.render.resolution_y = size
    stage.render.resolution_percentage = 100
    cycles = stage.cycles
    cycles.samples, cycles.seed, cycles.use_denoising = samples, seed & 0x7FFFFFFF, False
    cycles.use_adaptive_sampling = False
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 4, 2, 2
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    stage.view_settings.view_transform, stage.view_settings.look = "Filmic", "Medium High Contrast"
    stage.view_settings.exposure = 0.3


def wire_outputs(folder, alike=0):
    """Write image, surface colour, normal and the coverage of each target object as float files."""
    stage = bpy.context.scene
    layer = stage.view_layers[0]
    layer.use_pass_object_index = layer.use_pass_normal = layer.use_pass_diffuse_color = True
    layer.cycles.denoising_store_passes = True
    stage.use_nodes = True
    tree = stage.node_tree
    tree.nodes.clear()
    layers = tree.nodes.new("CompositorNodeRLayers")
    files = tree.nodes.new("CompositorNodeOutputFile")
    files.base_path = str(folder)
    files.format.file_format, files.format.color_depth = "OPEN_EXR", "32"
    sources = {
        "image": layers.outputs["Image"],
        "colour": layers.outputs["Denoising Albedo"],
        "normal": layers.outputs["Denoising Normal"],
    }
    for number in range(1 + alike):
        pick = tree.nodes.new("CompositorNodeIDMask")
        pick.index, pick.use_antialiasing = TARGET_INDEX + number, True
        tree.links.new(layers.outputs["IndexOB"], pick.inputs[0])
        sources[f"mask{number}_"] = pick.outputs[0]
    files.file_slots.clear()
    for key, socket in sources.items():
        files.file_slots.new(key)
        tree.links.new(socket, files.inputs[key])


def read(folder, key):
    """A written pass as an array (h, w, 3), bottom row first."""
    image = bpy.data.images.load(str(next(Path(folder).glob(f"{key}*.exr"))))
    image.colorspace_settings.name = "Non-Color"
    w, h = image.size
    values = np.empty(w * h * image.channels, np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(h, w, image.channels)[..., :3]


def save(pixels, path, settings, is_colour):
    """Write pixels (h, w, 3) through Blender's own encoder; colour goes through the view transform."""
    h, w = pixels.shape[:2]
    image = bpy.data.images.new("out", w, h, float_buffer=True)
    image.colorspace_settings.name = "Linear" if is_colour else "Non-Color"
    image.pixels.foreach_set(np.dstack([pixels, np.ones((h, w), np.float32)]).astype(np.float32).ravel())
    stage = bpy.context.scene
    stage.use_nodes = False
    if not is_colour:
        stage.view_settings.view_transform, stage.view_settings.look = "Raw", "None"
        stage.view_settings.exposure = 0.0
    for key, value in settings.items():
        setattr(stage.render.image_settings, key, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save_render(str(path), scene=stage)


def passes(folder, *keys):
    """Render once and read what was written."""
    bpy.ops.render.render()
    return [read(folder, key) for key in keys]


def render(scene, output, samples, size):
    portrait = scene.view.size[0] < scene.view.size[1]
    set_up(scene, samples, (size[::-1] if portrait else size) if size else scene.view.size)
    with tempfile.TemporaryDirectory() as folder:
        wire_outputs(folder, scene.alike)
        mask_passes = [f"mask{number}_" for number in range(1 + scene.alike)]
        image, colour, normal, *masks = passes(folder, "image", "colour", "normal", *mask_passes)
    if any(scene.moved):
        with tempfile.TemporaryDirectory() as folder:
            wire_outputs(folder)
            bpy.context.scene.render.use_motion_blur = True
            image, colour, normal = passes(folder, "image", "colour", "normal")
    levels = [1.0] if not scene.alike else [(number + 1) * STEP / 255 for number in range(len(masks))]
    shown = [level * (mask[..., :1] >= 0.5) for level, mask in zip(levels, masks)]  # noqa: B905 - Blender's Python
    inside = np.maximum.reduce(shown).astype(np.float32)
    image_file, mask_file = (output / path for path in files(scene.name))
    quality = 90 if image_file.parts[-3] == "Images" else 85
    jpeg = {"file_format": "JPEG", "quality": quality, "color_mode": "RGB"}
    save(denoise(image, colour, normal), image_file, jpeg, True)
    png = {"file_format": "PNG", "color_mode": "BW", "color_depth": "8", "compression": 100}
    save(inside.repeat(3, -1), mask_file, png, False)
    return float((inside > 0).mean())


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="scenes, such as red_mug/00, or folders of them")
    parser.add_argument("--output", type=Path, default=HERE)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--size", help="such as 320x240 for a draft (turned for portraits); default: the scene's own")
    given = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    return parser.parse_args(given)


def main():
    options = arguments()
    size = tuple(int(side) for side in options.size.split("x")) if options.size else None
    try:
        scenes = chosen(options.only)
    except ValueError as error:
        sys.exit(str(error))
    for scene in scenes:
        start = time.monotonic()
        share = render(scene, options.output, options.samples, size)
        print(f"{scene.name}: object covers {share:.1%}, {time.monotonic() - start:.1f} s", flush=True)
    print(f"{write_index(options.output, KINDS, CASES, SEVERAL)} written")


main()

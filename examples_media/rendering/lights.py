"""Lights and skies: each light is one function that lights the whole scene."""

import math

import bpy
from mathutils import Vector

from .materials import rgb


def area(at, size, power, colour="white", towards=(0, 0, 0.4)):
    """A square of light that looks at a point."""
    data = bpy.data.lights.new("area", "AREA")
    data.size, data.energy, data.color = size, power, rgb(colour)[:3]
    return aim(data, at, towards)


def sun(at, power, colour="white", softness=3.0):
    data = bpy.data.lights.new("sun", "SUN")
    data.energy, data.color, data.angle = power, rgb(colour)[:3], math.radians(softness)
    return aim(data, at, (0, 0, 0))


def aim(data, at, towards):
    made = bpy.data.objects.new(data.name, data)
    bpy.context.scene.collection.objects.link(made)
    made.location = at
    made.rotation_euler = (Vector(towards) - Vector(at)).to_track_quat("-Z", "Y").to_euler()
    return made


def sky(zenith, horizon, strength):
    """A soft gradient from the horizon up."""
    world = bpy.data.worlds.new("sky")
    bpy.context.scene.world = world
    world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    place, axes, ramp = (
        nodes.new("ShaderNodeTexCoord"),
        nodes.new("ShaderNodeSeparateXYZ"),
        nodes.new("ShaderNodeValToRGB"),
    )
    links.new(place.outputs["Generated"], axes.inputs[0])
    links.new(axes.outputs["Z"], ramp.inputs[0])
    links.new(ramp.outputs[0], nodes["Background"].inputs[0])
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = rgb(horizon), rgb(zenith)
    ramp.color_ramp.elements[1].position = 0.45
    nodes["Background"].inputs[1].default_value = strength


def window():
    """Daylight from a large window on the left."""
    sky("bcd2e8", "efe9df", 0.45)
    area((-4.2, -1.6, 3.6), 2.6, 420, "fff1dc")
    area((4.0, -3.0, 2.5), 3.0, 60, "dfeaff")


def studio():
    """Three soft boxes."""
    sky("ffffff", "f2efe9", 0.35)
    area((-3.0, -3.2, 4.2), 2.5, 230, "fff8ee")
    area((3.6, -2.0, 3.0), 2.5, 90, "e9f1ff")
    area((0.5, 3.2, 4.0), 2.0, 90, "ffffff")


def evening():
    """Low golden light from the right."""
    sky("7f93c4", "f0cfae", 0.6)
    sun((5.0, -2.6, 3.2), 4.2, "ffc98a", softness=2.5)
    area((-4.0, -2.5, 3.0), 3.0, 190, "b4c8ff")


def noon():
    """Sunshine and a blue sky."""
    sky("4f93d8", "dcecf7", 0.75)
    sun((-2.5, -3.0, 5.0), 3.6, "fff3da", softness=1.5)


def overcast():
    """Even light from everywhere."""
    sky("f3f6fa", "dfe3e6", 0.95)
    area((0.0, -1.5, 5.0), 4.0, 150, "ffffff")


def lamp():
    """A warm lamp above in a dim room."""
    sky("5c6c96", "8a8298", 0.5)
    area((1.4, -1.6, 3.3), 0.8, 330, "ffd6a3")
    area((-4.0, -2.0, 2.5), 2.0, 150, "9fb3ff")


def night():
    """A dark room: hardly more than the glow of the sky."""
    sky("1c2540", "333a58", 0.9)
    area((-4.0, -1.0, 3.0), 1.5, 16, "8fa8ff")


LIGHTS = {light.__name__: light for light in (window, studio, evening, noon, overcast, lamp, night)}

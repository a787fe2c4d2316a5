"""Mesh building blocks. Units: an object is about 1 high, stands on z = 0 and looks towards -y."""

import math

import bmesh
import bpy
import numpy as np
from mathutils import Matrix


def link(mesh, name, material, smooth=True, subdivide=0):
    """Put a mesh into the scene as an object with one material."""
    made = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(made)
    mesh.materials.append(material)
    mesh.polygons.foreach_set("use_smooth", [smooth] * len(mesh.polygons))
    if subdivide:
        modifier = made.modifiers.new("subdivide", "SUBSURF")
        modifier.levels = modifier.render_levels = subdivide
    return made


def from_rings(rings, name, material, subdivide=0, caps=True):
    """Join closed rings of points, an array (rings, points, 3), to a skin; its ends are closed by fans."""
    rings = np.asarray(rings, float)
    count, around = rings.shape[:2]
    mesh = bpy.data.meshes.new(name)
    i, j = np.meshgrid(np.arange(count - 1), np.arange(around), indexing="ij")
    k = (j + 1) % around
    quads = np.stack([i * around + j, i * around + k, (i + 1) * around + k, (i + 1) * around + j], -1)
    faces = quads.reshape(-1, 4).tolist()
    points = rings.reshape(-1, 3).tolist()
    if caps:
        for ring in (0, count - 1):
            points.append(rings[ring].mean(0).tolist())
            hub, base = len(points) - 1, ring * around
            faces += [(base + a, base + (a + 1) % around, hub) for a in range(around)]
    mesh.from_pydata(points, [], faces)
    work = bmesh.new()
    work.from_mesh(mesh)
    bmesh.ops.remove_doubles(work, verts=work.verts, dist=1e-5)
    bmesh.ops.recalc_face_normals(work, faces=work.faces)
    work.to_mesh(mesh)
    work.free()
    return link(mesh, name, material, subdivide=subdivide)


def lathe(profile, material, name="lathe", around=32, subdivide=2, at=(0, 0, 0), turn=(0, 0, 0)):
    """Turn a profile, a list of (radius, z), about the z axis."""
    angles = np.linspace(0, 2 * math.pi, around, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], -1)
    rings = [np.c_[circle * max(r, 1e-6), np.full(around, z)] for r, z in profile]
    return place(from_rings(rings, name, material, subdivide, caps=False), at, turn)


def smooth_path(points, samples):
    """A Catmull-Rom curve through points (n, d), sampled evenly in its parameter."""
    p = np.asarray(points, float)
    p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0, len(p) - 3, samples)
    i = np.minimum(t.astype(int), len(p) - 4)
    u = (t - i)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return 0.5 * (2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3)


def sweep_rings(path, radii, ribs=0, depth=0.0, samples=40, around=24):
    """Rings of a tube along a smooth path; `ribs` ridges of relative height `depth` run along it."""
    line = smooth_path(path, samples)
    width = smooth_path(np.asarray(radii, float)[:, None], samples)[:, 0].clip(1e-4)
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along[0], (0.12, 1.0, 0.07))
    angles = np.linspace(0, 2 * math.pi, around, endpoint=False)
    shape = 1 - depth * (0.5 - 0.5 * np.cos(ribs * angles)) if ribs else np.ones(around)
    rings = []
    for centre, radius, axis in zip(line, width, along, strict=True):
        side = side - axis * (side @ axis)
        side /= np.linalg.norm(side)
        up = np.cross(axis, side)
        rings.append(centre + radius * shape[:, None] * (np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * up))
    return np.asarray(rings)


def tube(path, radii, material, name="tube", **shape):
    """A smooth tube through `path` with one radius per point."""
    return from_rings(sweep_rings(path, radii, **shape), name, material, subdivide=1)


def ball(radii, at, material, name="ball", turn=(0, 0, 0)):
    """An ellipsoid."""
    mesh = bpy.data.meshes.new(name)
    work = bmesh.new()
    bmesh.ops.create_icosphere(work, subdivisions=4, radius=1.0)
    bmesh.ops.scale(work, verts=work.verts, vec=(radii,) * 3 if isinstance(radii, (int, float)) else radii)
    work.to_mesh(mesh)
    work.free()
    return place(link(mesh, name, material), at, turn)


def box(size, at, material, name="box", bevel=0.05, turn=(0, 0, 0), taper=(1.0, 1.0)):
    """A box with rounded edges; `taper` scales its top in x and y."""
    mesh = bpy.data.meshes.new(name)
    work = bmesh.new()
    bmesh.ops.create_cube(work, size=1.0)
    bmesh.ops.scale(work, verts=work.verts, vec=size)
    top = [v for v in work.verts if v.co.z > 0]
    bmesh.ops.scale(work, verts=top, vec=(*taper, 1.0))
    work.to_mesh(mesh)
    work.free()
    made = link(mesh, name, material)
    modifier = made.modifiers.new("bevel", "BEVEL")
    modifier.width, modifier.segments, modifier.limit_method = bevel, 5, "NONE"
    mesh.use_auto_smooth = True
    made.modifiers.new("normals", "WEIGHTED_NORMAL")
    return place(made, at, turn)


def disc(radius, depth, at, material, name="disc", turn=(0, 0, 0), bevel=0.3):
    """A short cylinder with rounded rims, its axis along z before `turn`; `bevel` is relative to its depth."""
    h, b = depth / 2, depth * bevel
    profile = [(0, -h), (radius - b, -h), (radius - b / 4, -h + b / 4), (radius, -h + b)]
    profile += [(r, -z) for r, z in reversed(profile)]
    return lathe(profile, material, name, around=32, subdivide=2, at=at, turn=turn)


def ring(radius, thickness, at, material, name="ring", turn=(0, 0, 0)):
    """A torus about the z axis before `turn`."""
    angles = np.linspace(0, 2 * math.pi, 13)
    profile = [(radius + thickness * math.cos(a), thickness * math.sin(a)) for a in angles]
    return lathe(profile, material, name, around=40, subdivide=1, at=at, turn=turn)


def blob(balls, material, name="blob", voxel=0.03, soften=12):
    """One soft skin around overlapping ellipsoids, each (radii, centre, turn in degrees)."""
    mesh = bpy.data.meshes.new(name)
    work = bmesh.new()
    for radii, centre, turn in balls:
        part = bmesh.ops.create_icosphere(work, subdivisions=4, radius=1.0)["verts"]
        bmesh.ops.scale(work, verts=part, vec=radii)
        for axis, angle in zip("XYZ", turn, strict=True):
            spin = Matrix.Rotation(math.radians(angle), 3, axis)
            bmesh.ops.rotate(work, verts=part, matrix=spin)
        bmesh.ops.translate(work, verts=part, vec=centre)
    work.to_mesh(mesh)
    work.free()
    made = link(mesh, name, material)
    skin = made.modifiers.new("skin", "REMESH")
    skin.mode, skin.voxel_size, skin.use_smooth_shade = "VOXEL", voxel, True
    soft = made.modifiers.new("soften", "SMOOTH")
    soft.factor, soft.iterations = 0.6, soften
    return made


def place(made, at=(0, 0, 0), turn=(0, 0, 0)):
    """Move an object and turn it (degrees about x, y, z)."""
    made.location = at
    made.rotation_euler = [math.radians(angle) for angle in turn]
    return made


def sheet(material, size=40.0, at=(0, 0, 0), turn=(0, 0, 0)):
    """A flat square of one material."""
    h = size / 2
    mesh = bpy.data.meshes.new("sheet")
    mesh.from_pydata([(-h, -h, 0), (h, -h, 0), (h, h, 0), (-h, h, 0)], [], [(0, 1, 2, 3)])
    return place(link(mesh, "sheet", material, smooth=False), at, turn)

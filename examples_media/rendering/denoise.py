"""Denoising for a Blender without Open Image Denoise: an edge-avoiding filter on the light alone.

The image is divided by the surface colour, which is nearly free of noise; the light that remains is smoothed where
surface colour and orientation agree, and is multiplied back, so textures stay sharp. (Edge-avoiding a-trous wavelets:
Dammertz et al., "Edge-Avoiding A-Trous Wavelet Transform for fast Global Illumination Filtering", HPG 2010.)
"""

import numpy as np

KERNEL = np.array([1, 4, 6, 4, 1], np.float32) / 16


def shifted(values, dy, dx):
    """values (h, w, c) moved by (dy, dx), its border repeated."""
    h, w = values.shape[:2]
    rows, columns = np.arange(h) + dy, np.arange(w) + dx
    return values[rows.clip(0, h - 1)][:, columns.clip(0, w - 1)]


def smooth(light, guides, step, tolerance):
    """One level: a 5 x 5 kernel with gaps of `step` pixels, weighed by the likeness of guides and of log light."""
    tone = np.log(light.mean(-1, keepdims=True) + 0.02)
    total, weight = np.zeros_like(light), np.zeros_like(light[..., :1])
    for i, row in enumerate(KERNEL):
        for j, column in enumerate(KERNEL):
            dy, dx = (i - 2) * step, (j - 2) * step
            unlike = ((shifted(tone, dy, dx) - tone) / tolerance) ** 2
            for guide, spread in guides:
                unlike = unlike + (((shifted(guide, dy, dx) - guide) / spread) ** 2).sum(-1, keepdims=True)
            w = row * column * np.exp(-0.5 * unlike)
            total += w * shifted(light, dy, dx)
            weight += w
    return total / weight


def denoise(image, colour, normal, levels=3, tolerance=0.25):
    """Denoise a linear image (h, w, 3) by its surface colour and normal passes of the same shape."""
    base = colour + 0.05
    guides = ((normal, 0.25), (colour, 0.12))
    light = image / base
    for level in range(levels):
        light = smooth(light, guides, 2**level, tolerance / 1.6**level)
    return light * base

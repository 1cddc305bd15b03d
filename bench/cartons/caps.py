"""Missing caps: an open neck in the cap's place, or a torn corner where there is no cap."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from app.core.evaluating.damage.drawing import blend, grain, jagged, noise, step
from app.core.evaluating.damage.healing import heal
from app.core.evaluating.damage.pixels import Array, largest_part, polygon_mask
from bench.cartons.cap_finder import skin
from bench.cartons.scene import Scene


def draw_missing_cap(scene: Scene, radius: float, rng: np.random.Generator) -> Array:
    """The cap gone, its neck open; without a cap to be found, a top corner torn away."""
    if scene.cap is None:
        return _draw_cut_corner(scene, radius, rng)
    centre, size = scene.cap
    hole = np.hypot(scene.grid[0] - centre[0], scene.grid[1] - centre[1]) < 1.3 * size
    filled = heal(scene.rgb, hole, 40.0 * skin(scene.rgb).astype(float), ~skin(scene.rgb))
    alpha = ndimage.gaussian_filter(hole.astype(float), 1.0)
    return _draw_spout(scene, blend(scene.rgb, filled, alpha), centre, size, rng)


def _draw_spout(
    scene: Scene, rgb: Array, centre: Array, radius: float, rng: np.random.Generator
) -> Array:
    """What a screw cap leaves behind: a white threaded neck around a dark opening."""
    angle = float(np.arctan2(scene.product.right[1], scene.product.right[0]))
    along, across = scene.around(centre, angle)
    away = np.hypot(along, across / rng.uniform(0.8, 0.95))
    neck, bore = 0.74 * radius, 0.5 * radius
    white = 255 * scene.surface.light
    thread = 0.80 + 0.12 * np.cos(2 * np.pi * (away - bore) / (0.16 * radius))
    thread += 0.12 * np.clip(-across / radius, -1, 1)
    shadow = 0.5 * np.exp(-np.clip(away - neck, 0, None) / (0.10 * radius + 0.8)) * (across > 0)
    out = rgb * (1 - shadow * (away < radius))[..., None]
    out = blend(out, white * thread[..., None] + grain(scene.surface, rng), step(neck - away))
    dark = np.clip(0.16 + 0.18 * across / radius, 0.06, 0.4)[..., None] * white * [1, 0.92, 0.85]
    return blend(out, dark + grain(scene.surface, rng), step(bore - away))


def _draw_cut_corner(scene: Scene, radius: float, rng: np.random.Generator) -> Array:
    """A top corner torn away: the shelf shows behind a ragged, light cardboard edge."""
    width, height = scene.product.size
    right = bool(
        scene.product.probability[_pixel(scene, 0.85, 0.12)]
        >= scene.product.probability[_pixel(scene, 0.15, 0.12)]
    )
    u = 1.0 if right else 0.0
    corner, inward = scene.product.at(u, 0.0), scene.product.at(0.5, 0.4)
    bite = float(np.clip(1.25 * radius, 0.2 * width, 0.6 * width))
    direction = (inward - corner) / np.linalg.norm(inward - corner)
    x, y = scene.grid[0] - corner[0], scene.grid[1] - corner[1]
    depth = x * direction[0] + y * direction[1]
    sideways = y * direction[0] - x * direction[1]
    line = bite * 0.75 + 0.12 * bite * jagged(np.clip(sideways / (2 * bite), -1, 1), 7, rng)
    lost = line - depth
    soft = np.clip(1.4 * ndimage.gaussian_filter(scene.product.probability, 1.0), 0, 1)
    near = np.hypot(x, y) < max(2.0 * bite, 0.3 * height)
    carton = (soft > 0.5) | polygon_mask(scene.product.corners, scene.shape)
    hole = largest_part(
        (lost > 0) & near & carton & ~ndimage.binary_opening(skin(scene.rgb), iterations=3)
    )
    if not hole.any():
        return scene.rgb
    hand = skin(scene.rgb)
    avoid = 90 * scene.product.probability + 120 * hand
    behind = heal(scene.rgb, hole, avoid, ~carton & ~hand)
    wall = 0.85 + 0.1 * noise(scene.shape, 1.0, rng)
    edge = 255 * scene.surface.light * wall[..., None].clip(0.5, 1.05)
    thick = 1.2 + 0.05 * bite
    painted = blend(behind, edge, step(thick - lost))
    return blend(scene.rgb, painted, ndimage.gaussian_filter(hole.astype(float), 0.6))


def _pixel(scene: Scene, u: float, v: float) -> tuple[int, int]:
    """Row and column of a place of the box, inside the photo."""
    x, y = scene.product.at(u, v)
    return (int(np.clip(y, 0, scene.shape[0] - 1)), int(np.clip(x, 0, scene.shape[1] - 1)))

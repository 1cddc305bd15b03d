"""Wrong labels: a piece of another SKU's print on this carton."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from app.core.evaluating.damage.drawing import blend, choose_place, step
from app.core.evaluating.damage.pixels import Array, Mask, polygon_mask
from bench.cartons.scene import Scene


def _homography(source: Array, target: Array) -> Array:
    """(3, 3) that maps four source points to four target points."""
    rows, values = [], []
    for (x, y), (a, b) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -a * x, -a * y], [0, 0, 0, x, y, 1, -b * x, -b * y]]
        values += [a, b]
    return np.append(np.linalg.solve(np.array(rows), np.array(values)), 1.0).reshape(3, 3)


def _sharpness(rgb: Array, where: Mask) -> float:
    """Fine detail, as a share of all contrast: low in a blurred photo."""
    grey = rgb.mean(-1)
    fine = grey - ndimage.gaussian_filter(grey, 1.0)
    return float(fine[where].std() / (grey[where].std() + 1e-6))


def _label_quad(scene: Scene, radius: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """The same rectangle of both cartons, in pixels of each: target (4, 2) and donor (4, 2)."""
    width, height = scene.product.size
    across = float(np.clip(rng.uniform(0.55, 0.85), 0, 1))
    down = float(np.clip(np.pi * radius**2 / (across * width * height), 0.12, 0.6))
    centre = choose_place(scene.surface, 0.5 * min(across * width, down * height), rng)
    top_left = scene.product.corners[0]
    axes = np.stack([scene.product.at(1, 0) - top_left, scene.product.at(0, 1) - top_left], 1)
    u, v = np.linalg.solve(axes, centre - top_left)
    u, v = np.clip(u, across / 2, 1 - across / 2), np.clip(v, down / 2 + 0.05, 1 - down / 2)
    unit = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2 * [across, down] + [u, v]
    target = np.array([scene.product.at(*point) for point in unit])
    target += rng.normal(0, 0.02 * radius + 0.3, target.shape)
    return target, np.array([scene.donor_product.at(*point) for point in unit])


def draw_wrong_label(scene: Scene, radius: float, rng: np.random.Generator) -> Array:
    """The same place of another SKU's print, in this carton's perspective, light and sharpness."""
    target, source = _label_quad(scene, radius, rng)
    inverse = _homography(target, source)
    x, y = scene.grid
    scaled = np.tensordot(inverse, np.stack([x, y, np.ones_like(x)]), 1)
    place = [scaled[1] / scaled[2], scaled[0] / scaled[2]]
    label = np.stack(
        [
            ndimage.map_coordinates(scene.donor[..., c], place, order=1, mode="mirror")
            for c in range(3)
        ],
        -1,
    )
    quad = polygon_mask(target, scene.shape)
    excess = _sharpness(label, quad) / (_sharpness(scene.rgb, scene.product.surface) + 1e-6)
    blur = float(np.clip(0.5 * (excess - 1), 0, 2.0))
    label = ndimage.gaussian_filter(label, (blur, blur, 0))
    donor_light = np.quantile(scene.donor[scene.donor_product.surface].mean(-1), 0.85)
    gain = np.clip(scene.surface.light * 255 / max(donor_light, 40.0), 0.5, 1.6)
    low = ndimage.gaussian_filter(scene.rgb.mean(-1), 0.6 * radius)
    shading = np.clip(low / (low[quad].mean() + 1e-6), 0.75, 1.25) ** 0.5 if quad.any() else 1.0
    label = np.clip(label * gain * np.asarray(shading)[..., None], 0, 255)
    inside = ndimage.distance_transform_edt(quad) - ndimage.distance_transform_edt(~quad)
    shadow = 0.35 * np.exp(-np.clip(-inside, 0, None) / 1.5) * (inside <= 0)
    painted = blend(scene.rgb * (1 - shadow)[..., None], label, step(inside - 0.5))
    return blend(scene.rgb, painted, scene.surface.cover)

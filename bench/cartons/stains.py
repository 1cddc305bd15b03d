"""Stains: spilt liquid with runs and drops."""

from __future__ import annotations

import numpy as np

from app.core.evaluating.damage.drawing import Place, blend, choose_place, grain, noise, step
from app.core.evaluating.damage.pixels import Array
from app.core.evaluating.damage.surface import Surface

_LIQUIDS = {  # transmission of a thick layer, per channel
    "coffee": (0.42, 0.27, 0.16),
    "berry": (0.62, 0.16, 0.24),
    "syrup": (0.74, 0.44, 0.10),
    "grime": (0.40, 0.38, 0.31),
}


def _runs(surface: Surface, centre: Array, radius: float, rng: np.random.Generator) -> Array:
    """(H, W) signed distance, > 0 inside: liquid that ran straight down from the splash."""
    x, y = surface.grid[0] - centre[0], surface.grid[1] - centre[1]
    field = np.full(surface.shape, -1e3)
    for start in rng.uniform(-0.65, 0.65, int(rng.integers(2, 5))):
        end, width = rng.uniform(1.1, 2.1) * radius, rng.uniform(0.06, 0.12) * radius + 0.8
        sway = 0.04 * radius * np.sin(y / (0.35 * radius) + rng.uniform(0, 6))
        swollen = width * (0.7 + 0.6 * np.clip(y / end, 0, 1) ** 3)
        gap = np.clip(y - end, 0, None) + np.clip(-y, 0, None)
        field = np.maximum(field, swollen - np.hypot(x - start * radius - sway, gap))
    return field


def draw_stain(
    surface: Surface, radius: float, rng: np.random.Generator, place: Place = choose_place
) -> Array:
    """A splash with runs and drops: colours multiply, the rim that dries last is darker."""
    radius = 0.85 * radius
    centre = place(surface, radius, rng)
    x, y = surface.grid[0] - centre[0], surface.grid[1] - centre[1]
    ragged = 0.22 * noise(surface.shape, 0.45 * radius, rng)
    ragged += 0.07 * noise(surface.shape, 0.14 * radius, rng)
    field = radius * (1 + ragged) - np.hypot(x, y)
    field = np.maximum(field, _runs(surface, centre, radius, rng))
    for _ in range(int(rng.integers(6, 15))):
        angle, reach = rng.uniform(0, 2 * np.pi), radius * rng.uniform(1.1, 1.8)
        drop = radius * rng.uniform(0.03, 0.10) + 0.6
        away = np.hypot(x - reach * np.cos(angle), y - reach * np.sin(angle))
        field = np.maximum(field, drop - away)
    rim = np.exp(-((np.clip(field, 0, None) / (0.05 * radius + 1.2)) ** 2))
    pools = 0.16 * noise(surface.shape, 0.3 * radius, rng)
    strength = rng.uniform(0.45, 0.85)
    density = np.clip(strength * (0.75 + pools) + 0.4 * rim, 0.2, 1.3)
    density *= step(field, 1.0) * surface.cover
    covered = surface.rgb[(field > 0) & surface.mask]
    if len(covered) and np.median(covered.mean(-1)) < 75:  # nothing darkens black: milk does show
        milk = 235 * surface.light + grain(surface, rng)
        return blend(surface.rgb, milk, np.clip(0.75 * density, 0, 0.9))
    tint = np.array(list(_LIQUIDS.values())[int(rng.integers(len(_LIQUIDS)))])
    return np.asarray(surface.rgb * tint ** density[..., None])

"""Dents: facets pressed into the carton."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .drawing import Place, blend, choose_place, grain, noise, step
from .pixels import Array
from .surface import Surface


def _pit(along: Array, across: Array, rng: np.random.Generator) -> Array:
    """(H, W) height, -1..0: a pyramid pressed in, its base the polygon of gauge 1."""
    sides = int(rng.integers(4, 7))
    angles = 2 * np.pi * (np.arange(sides) + rng.uniform(-0.3, 0.3, sides)) / sides
    offset = rng.uniform(-0.3, 0.3, 2)
    gauge = np.full(along.shape, -np.inf)
    for angle in angles:
        reach = 1.0 - offset @ [np.cos(angle), np.sin(angle)]
        plane = np.cos(angle) * (along - offset[0]) + np.sin(angle) * (across - offset[1])
        gauge = np.maximum(gauge, plane / reach)
    return np.asarray(np.minimum(gauge - 1, 0))


def draw_dent(
    surface: Surface, radius: float, rng: np.random.Generator, place: Place = choose_place
) -> Array:
    """Pressed-in facets: the print is shifted, slopes away from the light darken, creases crack."""
    centre = place(surface, radius, rng)
    along, across = surface.around(centre, rng.uniform(0, np.pi))
    stretch = rng.uniform(1.05, 1.4)
    along, across = along / (radius * stretch), across / (radius / stretch)
    shift = rng.uniform(-0.45, 0.45, 2)
    second = _pit((along - shift[0]) / 0.7, (across - shift[1]) / 0.7, rng)
    height = np.minimum(_pit(along, across, rng), rng.uniform(0.6, 1.1) * second) * surface.cover
    height = ndimage.gaussian_filter(height, 0.6 + 0.03 * radius)
    height *= radius * rng.uniform(0.55, 0.95)
    slope_y, slope_x = np.gradient(height)
    view = rng.uniform(-0.35, 0.35, 2)
    x, y = surface.grid
    source = [y + 3 * slope_y - view[1] * height, x + 3 * slope_x - view[0] * height]
    warped = [
        ndimage.map_coordinates(surface.rgb[..., c], source, order=1, mode="nearest")
        for c in range(3)
    ]
    light = np.array([rng.uniform(-0.5, 0.5), -1.0])
    shade = np.clip(1 - 0.62 * (slope_x * light[0] + slope_y * light[1]), 0.42, 1.55)
    bend = ndimage.gaussian_laplace(height, 0.8)  # > 0 in a valley, < 0 on a ridge
    shade *= np.clip(1 - 0.35 * np.clip(bend, 0, 1), 0.5, 1)
    crack = np.clip(-1.1 * bend, 0, 0.75) * step(noise(surface.shape, 1.2, rng) + 0.5)
    painted = np.stack(warped, -1) * shade[..., None]
    return blend(painted, 250 * surface.light + grain(surface, rng), crack)

"""Blots: irregular blobs of another colour, their edges soft."""

from __future__ import annotations

import numpy as np

from .drawing import blend, grain, noise, step
from .pixels import Array
from .spot import Spot

# Grey levels by which a blot differs from what lies below at least, on average over the channels.
_APART = 50


def draw_blot(spot: Spot, radius: float, rng: np.random.Generator) -> Array:
    """Dirt or paint: more or less opaque, in one colour with clouds."""
    surface = spot.surface
    x, y = surface.grid[0] - spot.centre[0], surface.grid[1] - spot.centre[1]
    ragged = 0.25 * noise(surface.shape, 0.5 * radius, rng)
    ragged += 0.08 * noise(surface.shape, 0.15 * radius, rng)
    inside = radius * (1 + ragged) - np.hypot(x, y)
    below = surface.rgb[inside > 0] if (inside > 0).any() else surface.rgb.reshape(-1, 3)
    clouds = 10 * noise(surface.shape, 0.4 * radius, rng)[..., None]
    paint = _colour(below.mean(0), rng) + clouds + grain(surface, rng)
    opacity = rng.uniform(0.5, 0.95) * step(inside, rng.uniform(0.8, 0.8 + 0.15 * radius))
    return blend(surface.rgb, paint, opacity)


def _colour(below: Array, rng: np.random.Generator) -> Array:
    """(3,) a colour that can be told from this one."""
    drawn = rng.uniform(10, 245, (32, 3))
    apart = np.abs(drawn - below).mean(-1)
    # Of brightness, too: photos may be grey.
    apart = np.minimum(apart, np.abs(drawn.mean(-1) - below.mean()))
    fitting = np.flatnonzero(apart >= _APART)
    return np.asarray(drawn[fitting[0] if len(fitting) else int(np.argmax(apart))])

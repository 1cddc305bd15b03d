"""Tears: ragged openings with fibres of cardboard along them."""

from __future__ import annotations

import numpy as np

from .drawing import Place, blend, choose_place, grain, jagged, noise, step
from .pixels import Array
from .surface import Surface


def draw_tear(
    surface: Surface, radius: float, rng: np.random.Generator, place: Place = choose_place
) -> Array:
    """A ragged opening: dark inside, white and brown fibres along it, one lip lifted."""
    length, half = 1.75 * radius, rng.uniform(0.26, 0.42) * radius
    centre = place(surface, 0.8 * radius, rng)
    along, across = surface.around(centre, rng.uniform(0, np.pi))
    t = along / length
    across = (
        across - 0.3 * half * jagged(t, 5, rng) - 0.5 * half * np.sin(2.2 * t + rng.uniform(0, 6))
    )
    taper = np.clip(1 - np.abs(t) ** 1.8, 0, None)
    fray = 0.35 * half
    upper = taper * (half + fray * jagged(t, 9, rng))
    lower = taper * (half + fray * jagged(t, 9, rng))
    peel = taper * (0.7 * half + 0.5 * half * jagged(t, 7, rng)).clip(1.0)  # one side more peeled
    rim = taper * (0.22 * half + 0.15 * half * jagged(t, 11, rng)).clip(0.8)
    inside = np.minimum(upper - across, across + lower)
    fibre = np.minimum(upper + rim - across, across + lower + peel)
    closed = -1e3 * (np.abs(t) >= 1)
    inside, fibre = inside + closed, fibre + closed

    white = surface.light * 255
    strands = noise(surface.shape, 0.7, rng) + noise(surface.shape, 2.0, rng)
    strands = np.clip(0.93 + 0.055 * strands, 0.7, 1.06)
    brown = step(0.45 * peel - (fibre - 0.35 * peel) + noise(surface.shape, 1.5, rng), 1.5)
    paper = blend(
        np.full(surface.rgb.shape, 1.0) * [0.95, 0.93, 0.88],
        np.full(surface.rgb.shape, 1.0) * [0.72, 0.58, 0.42],
        0.75 * (1 - brown),
    )
    paper = paper * white * strands[..., None]
    # Light falls in from above: the far wall, at the lower lip, is seen, the upper part is black.
    deep = np.clip(0.17 - 0.13 * across / half, 0.06, 0.36)[..., None]
    deep = deep * (1 + 0.1 * noise(surface.shape, 2.0, rng))[..., None]
    dark = white * deep * [1.0, 0.9, 0.78]

    shadow = 0.55 * np.exp(-np.clip(-fibre, 0, None) / (0.14 * half + 1.0)) * (across < 0)
    shadow *= taper > 0.02
    painted = surface.rgb * (1 - shadow * step(-fibre))[..., None]
    painted = blend(painted, paper, step(fibre))
    painted = blend(painted, dark + grain(surface, rng), step(inside))
    return blend(surface.rgb, painted, surface.cover)

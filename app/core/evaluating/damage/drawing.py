"""What the defects are drawn with: places, noise, broken lines, soft edges, grain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from .pixels import Array
from .surface import Surface

# (surface, radius that shall fit, generator) -> point (x, y)
Place = Callable[[Surface, float, np.random.Generator], Array]


def choose_place(surface: Surface, radius: float, rng: np.random.Generator) -> Array:
    """A point (x, y) on the surface with `radius` of surface around it, as far as there is."""
    depth = ndimage.distance_transform_edt(np.pad(surface.mask, 1))[1:-1, 1:-1]
    ys, xs = np.nonzero(depth >= min(0.95 * radius, 0.8 * depth.max()))
    i = int(rng.integers(len(xs)))
    return np.array([xs[i], ys[i]], dtype=float)


def noise(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> Array:
    """(H, W) smooth noise of unit deviation."""
    field = ndimage.gaussian_filter(rng.normal(size=shape), scale, mode="wrap")
    return np.asarray(field / (field.std() + 1e-9))


def jagged(t: Array, knots: int, rng: np.random.Generator) -> Array:
    """A broken line over t in -1..1, of values about -1..1, with finer breaks on it."""
    line = np.zeros_like(t)
    for octave in range(3):
        count = knots * 2**octave
        line += np.interp(t, np.linspace(-1, 1, count), rng.uniform(-1, 1, count)) / 2**octave
    return np.asarray(line / 1.5)


def step(value: Array, width: float = 0.8) -> Array:
    """0 below, 1 above zero, with a soft edge of a pixel or so: cameras have no hard edges."""
    return np.asarray(np.clip(0.5 + value / (2 * width), 0, 1))


def blend(below: Array, above: Array, alpha: Array) -> Array:
    """(H, W, 3): `above` laid over `below`; `alpha` is (H, W) in 0..1."""
    return np.asarray(below + alpha[..., None] * (above - below))


def grain(surface: Surface, rng: np.random.Generator) -> Array:
    """(H, W, 1) sensor noise for drawn parts: flat paint would give them away."""
    return np.asarray(ndimage.gaussian_filter(rng.normal(0, 4.0, surface.shape), 0.6)[..., None])

"""A photo of good goods with one damage, and the exact mask of what it changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from scipy import ndimage

from .blots import draw_blot
from .dents import draw_dent
from .drawing import Place
from .goods import Goods
from .pieces import draw_missing_piece
from .pixels import Array, Mask, Photo
from .scars import draw_scar
from .spot import Spot
from .surface import Surface
from .tears import draw_tear

Kind = Literal["scar", "blot", "tear", "missing_piece", "dent"]
Size = Literal["small", "medium", "large"]

KINDS: tuple[Kind, ...] = get_args(Kind)
# Shares of the photo, about those of real dents, stains and tears on goods that fill half of it.
SIZES: dict[Size, float] = {"small": 0.01, "medium": 0.03, "large": 0.08}
# No damage is aimed at more than this share of the goods' area.
MOST_OF_GOODS = 0.25
# What a damage's area may be, by what it is aimed at.
BOUNDS = (0.4, 2.5)
# No damage is aimed at fewer pixels: it would be a speck.
FEWEST = 16

_VISIBLE = 10  # grey levels; a smaller change cannot be seen and is undone
_CLOSE = 0.25  # of the logarithm of the area: near enough to stop
_PLACES, _TRIES = 4, 4

# (spot, radius aimed at, generator) -> (h, w, 3) in 0..255
Draw = Callable[[Spot, float, np.random.Generator], Array]


@dataclass(frozen=True)
class Damaged:
    """Attributes:
    photo: (H, W, 3) uint8. mask: (H, W), exactly the pixels that differ from the good photo.
    """

    photo: Photo = field(repr=False)
    mask: Mask = field(repr=False)
    kind: Kind
    size: Size


def draw_damage(
    photo: Photo, donor: Photo, kind: Kind, size: Size, goods: Goods, rng: np.random.Generator
) -> Damaged:
    """The photo with a damage of that kind and size on the goods; a blot where that kind cannot be
    seen there, such as a dent in what is one colour.

    Args:
        photo: (H, W, 3) uint8, 32 pixels or more a side; a grey one stays grey.
        donor: another good photo, of any size.
    """
    aim = aimed_at(photo, size, goods)
    kinds: tuple[Kind, ...] = (kind, "blot") if kind != "blot" else ("blot",)
    best: Damaged | None = None
    for drawn in kinds:
        for _ in range(_PLACES):
            found = _at_size(photo, donor, drawn, size, goods, aim, rng)
            if _apart(found, aim) < np.log(BOUNDS[1]):
                return found
            if best is None or _apart(found, aim) < _apart(best, aim):
                best = found
    assert best is not None
    return best


def aimed_at(photo: Photo, size: Size, goods: Goods) -> float:
    """Pixels that a damage of that size is to change."""
    pixels: int = photo[..., 0].size
    return max(float(FEWEST), min(SIZES[size], MOST_OF_GOODS * goods.area) * pixels)


def _at_size(
    photo: Photo,
    donor: Photo,
    kind: Kind,
    size: Size,
    goods: Goods,
    aim: float,
    rng: np.random.Generator,
) -> Damaged:
    """At one place: the same numbers with another radius, until the area fits."""
    height, width = photo.shape[:2]
    centre = goods.place(rng) * [width, height]
    seed = int(rng.integers(2**32))
    best: Damaged | None = None
    guess = aim
    for _ in range(_TRIES):
        radius = float(np.sqrt(guess / np.pi))
        spot = Spot.around(photo, donor, centre, radius)
        window = _DRAW[kind](spot, radius, np.random.default_rng(seed))
        found = _finished(spot, window, kind, size)
        if best is None or _apart(found, aim) < _apart(best, aim):
            best = found
        if _apart(best, aim) < _CLOSE:
            break
        guess *= float(np.clip(aim / (found.mask.sum() + 1e-6), 0.4, 2.5))
        guess = min(guess, 4 * aim)
    assert best is not None
    return best


def _apart(damaged: Damaged, aim: float) -> float:
    """How far the area is from the one aimed at, as the logarithm of their ratio."""
    return abs(math.log(float(damaged.mask.sum() + 1e-6) / aim))


def _finished(spot: Spot, window: Array, kind: Kind, size: Size) -> Damaged:
    """Visible changes kept, without specks and holes; the photo is untouched elsewhere."""
    before = spot.surface.rgb
    if np.ptp(spot.photo, axis=-1).max() == 0:
        window = np.repeat(window.mean(-1, keepdims=True), 3, axis=-1)
    drawn = np.abs(window - before).max(-1) >= _VISIBLE
    drawn = ndimage.binary_fill_holes(ndimage.binary_opening(drawn) if drawn.sum() > 64 else drawn)
    rounded = np.clip(np.rint(window), 0, 255).astype(np.uint8)
    painted = np.where(drawn[..., None], rounded, before.astype(np.uint8))
    photo = spot.placed(painted)
    return Damaged(photo, (photo != spot.photo).any(-1), kind, size)


def _on_the_surface(draw: Callable[[Surface, float, np.random.Generator, Place], Array]) -> Draw:
    def drawn(spot: Spot, radius: float, rng: np.random.Generator) -> Array:
        return draw(spot.surface, radius, rng, lambda *_: spot.centre)

    return drawn


_DRAW: dict[Kind, Draw] = {
    "scar": draw_scar,
    "blot": draw_blot,
    "tear": _on_the_surface(draw_tear),
    "missing_piece": draw_missing_piece,
    "dent": _on_the_surface(draw_dent),
}

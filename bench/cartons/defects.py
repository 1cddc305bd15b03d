"""One damaged photo: a defect drawn at a visible size, and the mask of what it changed."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from app.core.evaluating.damage.dents import draw_dent
from app.core.evaluating.damage.pixels import Array, Mask, Photo
from app.core.evaluating.damage.surface import Surface
from app.core.evaluating.damage.tears import draw_tear
from bench.cartons.caps import draw_missing_cap
from bench.cartons.errors import CartonsError
from bench.cartons.labels import draw_wrong_label
from bench.cartons.scene import Scene
from bench.cartons.stains import draw_stain

AREA = (0.01, 0.08)  # share of the image that a defect is aimed at
AREA_BOUNDS = (0.003, 0.09)  # what is accepted: a small bottle cap is below one per cent
VISIBLE = 10  # grey levels; a smaller change cannot be seen and is undone

# (scene, radius aimed at, generator) -> (H, W, 3) in 0..255
Draw = Callable[[Scene, float, np.random.Generator], Array]


def _on_the_surface(draw: Callable[[Surface, float, np.random.Generator], Array]) -> Draw:
    return lambda scene, radius, rng: draw(scene.surface, radius, rng)


DEFECTS: dict[str, Draw] = {
    "dent": _on_the_surface(draw_dent),
    "tear": _on_the_surface(draw_tear),
    "stain": _on_the_surface(draw_stain),
    "missing_cap": draw_missing_cap,
    "wrong_label": draw_wrong_label,
}


@dataclass(frozen=True)
class Damaged:
    """A photo with a defect and what of it was changed."""

    photo: Photo
    mask: Mask


def _as_camera(painted: Array) -> Photo:
    """Through JPEG and back, as the rest of the photo went, so that no area lacks its traces."""
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.rint(painted), 0, 255).astype(np.uint8)).save(
        buffer, "JPEG", quality=92, subsampling=2
    )
    return np.asarray(Image.open(buffer).convert("RGB"))


def finish(original: Photo, painted: Array) -> Damaged:
    """Visible changes kept as one mask without specks and holes; the photo is untouched outside."""
    camera = _as_camera(painted)
    # Where the drawing itself changed next to nothing, a difference is only JPEG's.
    drawn = np.abs(painted - original).max(-1) >= VISIBLE
    drawn = ndimage.binary_closing(np.pad(drawn, 2), iterations=2)[2:-2, 2:-2]
    drawn = ndimage.binary_fill_holes(drawn)
    labels, count = ndimage.label(drawn)
    sizes = ndimage.sum(drawn, labels, range(count + 1))
    mask = np.asarray(sizes >= max(9, 0.0001 * drawn.size))[labels] & drawn
    return Damaged(np.where(mask[..., None], camera, original), mask)


def damage(scene: Scene, kind: str, rng: np.random.Generator) -> Damaged:
    """The photo with a defect of a random, visible size; raises CartonsError if none fits."""
    original = scene.rgb.astype(np.uint8)
    surface = float(scene.product.surface.mean())
    low, high = AREA[0] * 1.2, min(AREA[1] * 0.85, max(0.4 * surface, AREA[0] * 1.3))
    goal = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    seed = int(rng.integers(2**32))
    best: Damaged | None = None
    guess, gap, last = goal, np.inf, -1.0
    for attempt in range(6):
        radius = float(np.sqrt(guess * original[..., 0].size / np.pi))
        # The same numbers for the first three sizes, then another place.
        made = finish(
            original, DEFECTS[kind](scene, radius, np.random.default_rng(seed + attempt // 3))
        )
        share = float(made.mask.mean())
        if abs(np.log((share + 1e-6) / goal)) < gap:
            best, gap = made, abs(float(np.log((share + 1e-6) / goal)))
        if gap < 0.25 or share == last:  # a cap has the size it has
            break
        last = share
        guess = float(np.clip(guess * np.clip(goal / (share + 1e-6), 0.4, 2.5), 0.003, 0.2))
    if best is None or not AREA_BOUNDS[0] <= best.mask.mean() <= AREA_BOUNDS[1]:
        raise CartonsError(f"no {kind} of a fitting size could be drawn")
    return best

"""A test split where none is stored: held-out good photos and damage drawn on them, as files.

train/good ─► two thirds, learnt from
          └─► a third ─┐
test/good ─────────────┴─► held out ─► test: each as it is, and with a damage of each size

As files, so that whole banks are evaluated as they are on a stored split, masks and all. What
presets, methods and looks reach on them can be compared; how real damage is found they cannot say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ..building import levels
from ..building.copies import copies_among
from ..building.prior import NoPrior, learn_prior
from ..errors import DatasetError
from ..evaluating.damage.goods import Goods
from ..evaluating.on_drawn import DrawnDamage
from ..features.extractor import FeatureExtractor
from ..features.spool import Spool
from ..photo.dataset import GOOD, Category, LabelledImage, evenly
from ..photo.images import MAX_PIXELS, DecodedImage
from ..photo.look import WHOLE
from .candidates import can_weigh
from .choose import FEWEST_PHOTOS, MOST_PHOTOS
from .placing import Placed, embed_photos, find_goods
from .split import split
from .trials import EACH, Trial, drawing_side, read_to_draw, with_damage

Progress = Callable[[str, int, int], None]  # step, done, total

_LEAST_SIDE = 32  # of photos that damage is drawn on
_NAMED = 40  # letters of a photo's name that the drawn ones keep


@dataclass(frozen=True)
class DrawnSplit:
    """Attributes:
    category: of which `train` is what is learnt from, and `test` what was drawn.
    held_out: the photos that were drawn on, as they lie in the data folder.
    different: photos learnt from that are no copies of others.
    """

    category: Category
    held_out: tuple[Path, ...]
    different: int
    facts: DrawnDamage


def draw_split(
    category: Category,
    views: Sequence[FeatureExtractor],
    folder: Path,
    *,
    max_pixels: int = MAX_PIXELS,
    seed: int = 0,
    progress: Progress = lambda _step, _done, _total: None,
) -> DrawnSplit:
    """Hold photos out, and draw on them.

    Args:
        views: of the presets that are to be tried: of whole photos or of crops. The first whose
            features have places tells where the goods are; without one, damage is drawn anywhere.
        folder: for the drawn photos; they are not small.

    Raises:
        DatasetError: too few photos, too small ones, or the folder is full.
        ImageError: a photo cannot be read any more.
    """
    level = levels.measure(category.train, max_pixels)
    progress("read", 0, len(category.train))
    learnt, different, held_out = _held_out(category, level.white, seed)
    finder = next((one.looking(WHOLE) for one in views if can_weigh(one)), None)
    placed = Placed([Goods.everywhere()] * len(held_out))
    if finder is not None:
        finder = level.applied_to(finder)
        with suppress(NoPrior):
            placed = _place(different, held_out, finder, max_pixels, progress)
    side = max(drawing_side(one) for one in views)
    images = (_large_enough(read_to_draw(p, side, level.white, max_pixels), p) for p in held_out)
    trials = with_damage(images, placed.goods, np.random.default_rng(seed))
    test: list[LabelledImage] = []
    for done, trial in enumerate(trials):
        photo = done // (1 + EACH)
        test.append(_written(trial, folder, f"{photo:04}_{held_out[photo].stem[:_NAMED]}"))
        progress("draw damage", photo, len(held_out))
    facts = DrawnDamage(
        learnt=len(different),
        held_out=len(held_out),
        damaged=EACH * len(held_out),
        each=EACH,
        goods="found" if placed.found else "everywhere",
        seed=seed,
    )
    good = [image for image in test if not image.is_defective]
    damaged = [image for image in test if image.is_defective]
    drawn = replace(category, train=tuple(learnt), test=(*good, *damaged))
    return DrawnSplit(drawn, tuple(held_out), len(different), facts)


def _held_out(
    category: Category, white_level: int, seed: int
) -> tuple[list[Path], list[Path], list[Path]]:
    """Photos learnt from, those of them that differ, and photos held out, none like another."""
    tested = [image.path for image in category.test if not image.is_defective]
    files, copies = copies_among([*category.train, *tested], white_level)
    train = set(category.train)
    taught: list[list[Path]] = []
    beside: list[list[Path]] = []
    for members in copies.sets():
        shown = [files[i] for i in members]
        (beside if train.isdisjoint(shown) else taught).append(shown)
    if len(taught) < FEWEST_PHOTOS:
        raise DatasetError(
            f"damage is drawn on held-out good photos where there are {FEWEST_PHOTOS} different "
            f"ones or more; here are {len(taught)}"
        )
    kept, out = split(len(taught), seed)
    different = [next(path for path in taught[i] if path in train) for i in kept]
    learnt = [path for i in kept for path in taught[i] if path in train]
    most = round(MOST_PHOTOS / 3)
    tried = [*evenly([taught[i] for i in out], most), *evenly(beside, most)]
    return sorted(learnt), different, [members[0] for members in tried]


def _place(
    learnt: Sequence[Path],
    held_out: Sequence[Path],
    extractor: FeatureExtractor,
    max_pixels: int,
    progress: Progress,
) -> Placed:
    some = evenly(learnt, MOST_PHOTOS)
    telling = partial(progress, "find the goods")
    with Spool() as taught, Spool() as seen:
        read, _ = embed_photos(some, extractor, taught, max_pixels, telling)
        embed_photos(held_out, extractor, seen, max_pixels, telling)
        return find_goods(learn_prior(taught), read, held_out, seen, extractor, max_pixels)


def _large_enough(image: DecodedImage, path: Path) -> DecodedImage:
    if min(image.rgb.size) < _LEAST_SIDE:
        width, height = image.rgb.size
        raise DatasetError(
            f"{path.name} has {width} × {height} pixels: damage is drawn on {_LEAST_SIDE} a side "
            "or more"
        )
    return image


def _written(trial: Trial, folder: Path, name: str) -> LabelledImage:
    """The photo as a PNG, which keeps every pixel, and beside a damaged one its mask."""
    kind = GOOD if trial.drawn is None else trial.drawn.kind
    path, mask = folder / kind / f"{name}.png", None
    if trial.drawn is not None:
        path = path.with_name(f"{name}_{trial.drawn.size}.png")
        mask = folder / "masks" / path.name
    try:
        _save(trial.image.rgb, path)
        if trial.drawn is not None and mask is not None:
            _save(Image.fromarray(trial.drawn.mask), mask)
    except OSError as exc:
        raise DatasetError(
            f"the drawn photos do not fit into {folder.parent} ({exc.strerror}): free some space, "
            "or set TMPDIR to a folder with more"
        ) from exc
    return LabelledImage(path, kind, mask)


def _save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "PNG", compress_level=1)  # read a few times, then removed

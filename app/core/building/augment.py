"""`[augment]` of a preset: turned and mirrored copies of the good photos teach a bank, too.

For goods that come at any angle. The copies are made of the prepared photos: the network's input
is a square, and to turn it is to turn the photo before it is resized and padded. They teach and
nothing else: calibration scores photos as they were taken, each by what has learnt neither from it
nor from its copies.

    quarter  by 90, 180 and 270 degrees: no pixel is resampled
    free     by any angle; what a turned photo leaves of the square mirrors it, and is not learnt
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from ..arrays import Doubles, Floats
from ..features.extractor import Extractor
from ..features.sample import Chosen, Samples
from ..features.spool import Spool
from ..photo.box import Box
from ..photo.look import WHOLE, Look, LookRecord
from ..photo.preprocess import PreparedImage
from .selection import Kept

Turned = tuple[PreparedImage, Look]


@dataclass(frozen=True, slots=True)
class Turn:
    """How a copy was made of a photo: mirrored left to right, then turned.

    Attributes:
        angle: degrees, counter-clockwise.
        about_photo: about the middle of the photo, which then lies in that of the input; else
            about the middle of the input.
    """

    angle: float
    mirrored: bool
    about_photo: bool

    def back(self, boxes: Doubles, content: Box, side: int) -> Doubles:
        """(m, 4) boxes in the copy -> those around the same places in the photo's own input.

        Args:
            content: where the photo lies in its own input. side: of the input, pixels.
        """
        angle = np.radians(self.angle)
        x, y = (boxes[:, which] - side / 2 for which in ([0, 2, 2, 0], [1, 1, 3, 3]))
        across = x * np.cos(angle) - y * np.sin(angle)
        down = x * np.sin(angle) + y * np.cos(angle)
        middle = side / 2, side / 2
        if self.about_photo:
            middle = (content.left + content.right) / 2, (content.top + content.bottom) / 2
        across = middle[0] + (-across if self.mirrored else across)
        down = middle[1] + down
        edges = across.min(axis=1), down.min(axis=1), across.max(axis=1), down.max(axis=1)
        return np.stack(edges, axis=1).round(6)


class Augment(BaseModel):
    """Which copies of each good photo teach, beside the photo.

    Attributes:
        turns: by which angles.
        flips: mirrored copies, too.
        copies: of each photo at most; where the kinds asked for are fewer, one of each.
        seed: which kinds, where there are more, and the free angles.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    turns: Literal["none", "quarter", "free"] = "none"
    flips: bool = False
    copies: int = Field(default=3, ge=1, le=16)
    seed: int = Field(default=0, ge=0)

    @property
    def each(self) -> int:
        """Copies of each photo."""
        return self.copies if self.turns == "free" else min(self.copies, len(self._kinds()))

    def of(self, photo: PreparedImage, look: Look, number: int) -> list[Turned]:
        """The copies of a photo, each with what of it is looked at.

        Args:
            look: what is looked at of the photo. number: the photo's, which decides on chance.
        """
        return [copy for _, copy in self.drawn(photo, look, number)]

    def drawn(self, photo: PreparedImage, look: Look, number: int) -> list[tuple[Turn, Turned]]:
        """The same copies, each with how it was made."""
        chance = np.random.default_rng((self.seed, number))
        if self.turns == "free":
            angles = chance.uniform(0, 360, self.copies)
            flips = chance.integers(0, 2, self.copies) == 1
            return [
                _freely(photo, look, float(angle), mirrored=self.flips and bool(flip))
                for angle, flip in zip(angles, flips, strict=True)
            ]
        kinds = self._kinds()
        if len(kinds) > self.each:
            kinds = [kinds[index] for index in chance.permutation(len(kinds))[: self.each]]
        return [_by_quarters(photo, look, quarters, mirrored=flip) for quarters, flip in kinds]

    def _kinds(self) -> list[tuple[int, bool]]:
        """Quarter turns, and whether mirrored before; not the photo as it is."""
        turns = range(4 if self.turns == "quarter" else 1)
        flips = (False, True) if self.flips else (False,)
        return [(turn, flip) for flip in flips for turn in turns][1:]


@dataclass(frozen=True)
class TurnedCopies:
    """The samples of the copies, as many of each photo, in the order of the photos.

    Attributes:
        spool: where they are kept. turns: how each was made.
    """

    plan: Augment
    spool: Spool
    turns: list[Turn] = field(default_factory=list)

    def add(self, photos: Sequence[PreparedImage], extractor: Extractor) -> None:
        """Embed the copies of the next photos.

        Raises:
            NonFiniteScore, DatasetError.
        """
        if not self.plan.each:
            return
        plain = extractor.looking(WHOLE)
        for photo in photos:
            number = len(self.spool) // self.plan.each
            copies = self.plan.drawn(photo, extractor.look, number)
            features = extractor.embed([copy for _, (copy, _) in copies])
            for (turn, (copy, look)), own in zip(copies, features, strict=True):
                self.turns.append(turn)
                self.spool.append(plain.sample(own, copy).seen_by(look))

    def of(self, photos: Sequence[int], columns: Sequence[int] | None) -> Samples | None:
        """Those of these photos, by their numbers; None where no copies are asked for.

        Args:
            columns: the dimensions that are kept; None: all.
        """
        each = self.plan.each
        if not each:
            return None
        wanted = [photo * each + copy for photo in photos for copy in range(each)]
        found = Chosen(self.spool, wanted)
        return found if columns is None else Kept(found, np.array(columns))


def _by_quarters(
    photo: PreparedImage, look: Look, quarters: int, *, mirrored: bool
) -> tuple[Turn, Turned]:
    """Mirrored left to right, then turned counter-clockwise; the look turns along."""
    turn = Turn(90.0 * quarters, mirrored, about_photo=False)
    side, box = photo.pixels.shape[0], photo.content
    if mirrored:
        box = Box(side - box.right, box.top, side - box.left, box.bottom)
    for _ in range(quarters):
        box = Box(box.top, side - box.right, box.bottom, side - box.left)
    pixels = photo.pixels[:, ::-1] if mirrored else photo.pixels
    turned = PreparedImage(np.ascontiguousarray(np.rot90(pixels, quarters)), box, source=box)
    if look.record.all_teach or look.weights is None:  # copies teach, and nothing else
        return turn, (turned, WHOLE)
    weights = look.weights[:, ::-1] if mirrored else look.weights
    seen = Look(look.record, np.ascontiguousarray(np.rot90(weights, quarters)))
    return turn, (turned, seen)


def _freely(
    photo: PreparedImage, look: Look, angle: float, *, mirrored: bool
) -> tuple[Turn, Turned]:
    """Mirrored, then turned counter-clockwise about the photo's centre, at the same scale."""
    side, box = photo.pixels.shape[0], photo.content
    inside = np.s_[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
    shown = photo.pixels[inside]
    counts = _per_pixel(look, shown.shape[:2])
    if mirrored:
        shown, counts = shown[:, ::-1], counts[:, ::-1]
    room = int(np.ceil(side * np.sqrt(2))) + 2  # a square of the input's side, turned, lies within
    around = [((room - n) // 2, room - n - (room - n) // 2) for n in shown.shape[:2]]
    # Mirrored at its rim: a flat bar would put an edge there that no photo has.
    pixels = _turned(np.pad(shown, (*around, (0, 0)), mode="symmetric"), angle, side)
    weights = _turned(np.pad(counts, around), angle, side)
    if not (weights > 0.5).any():  # a mask of a corner, which this angle turns out of the square
        return _by_quarters(photo, look, round(angle / 90) % 4, mirrored=mirrored)
    whole = Box(0, 0, side, side)
    seen = Look(LookRecord(kind="mask"), np.asarray(weights, dtype=np.float32))
    copy = PreparedImage(np.asarray(pixels, dtype=np.uint8), whole, source=whole)
    return Turn(angle, mirrored, about_photo=True), (copy, seen)


def _per_pixel(look: Look, shape: tuple[int, ...]) -> Floats:
    """(h, w) float32: the share of each pixel of the photo that teaches."""
    height, width = shape
    found = None
    if not look.record.all_teach:
        found = look.between(np.linspace(0, 1, height + 1), np.linspace(0, 1, width + 1))
    return np.ones((height, width), dtype=np.float32) if found is None else found


def _turned(values: npt.NDArray[Any], angle: float, side: int) -> npt.NDArray[Any]:
    """The middle square of a turned picture."""
    turned = Image.fromarray(np.ascontiguousarray(values)).rotate(
        angle, resample=Image.Resampling.BILINEAR
    )
    first = (turned.width - side) // 2
    return np.asarray(turned.crop((first, first, first + side, first + side)))

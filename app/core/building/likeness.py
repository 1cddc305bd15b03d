"""Whether two pictures are one photo: how well their finest details agree.

Photos of one mould agree in all that is large; only a copy has the same grain, dust and texture.
So what is blurred is taken away, and what is left is weighted to one strength everywhere, or else
the strongest edges, which all photos of the goods share, would speak alone. And a copy is as bright
as its original, place by place: two things of one grain, such as neighbouring slices, are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from .registration import blur, halved, register

_BORDER = 6  # pixels beside the edge of either picture: resizing and blurring have touched them
_FINEST, _FINE, _AROUND = 0.8, 2.0, 2.0  # sigmas, pixels
# Detail weaker than this, in grey values, is rounding and not the photo.
_ROUNDING = 0.2
_TELLING = 1.0  # detail that a camera saw, in grey values
# Grey values, before the last steps: 3.9 at most for photos cropped by 5 %.
_FAR = 6.0
_ENOUGH = 0.02  # share of the pixels that must have it


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far two pictures agree once one is laid over the other.

    Attributes:
        detail: correlation of their fine details, from -1 to 1; 0 where they have none.
        apart: root mean square of the difference of all that is larger, grey values.
    """

    detail: float
    apart: float


UNLIKE = Likeness(0.0, np.inf)


def likeness(one: Floats, other: Floats) -> Likeness:
    """Of two (n, n) float32 grey pictures, `other` cropped or resized at most slightly."""
    place = register(halved(one), halved(other), most_apart=_FAR)
    if place is None:
        return UNLIKE
    laid, inside = place.lay(other)
    inside[:_BORDER] = inside[-_BORDER:] = inside[:, :_BORDER] = inside[:, -_BORDER:] = False
    if not inside.any():
        return UNLIKE
    (first, coarse), (second, other_coarse) = _bands(one), _bands(laid)
    apart = float(np.sqrt(np.square(coarse - other_coarse)[inside].mean()))
    energy: Floats = (first**2 + second**2) / np.float32(2)
    strength = np.sqrt(blur(energy, _AROUND) + _ROUNDING**2)
    if (strength[inside] > _TELLING).mean() < _ENOUGH:
        return Likeness(0.0, apart)
    a, b = (first / strength)[inside], (second / strength)[inside]
    return Likeness(float(a @ b / np.sqrt((a @ a) * (b @ b) + 1e-9)), apart)


def _bands(picture: Floats) -> tuple[Floats, Floats]:
    """Fine details, and all that is larger."""
    coarse = blur(picture, _FINE)
    return blur(picture, _FINEST) - coarse, coarse

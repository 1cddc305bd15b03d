"""The part of a photo that one damage may change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .pixels import Array, Photo
from .surface import Surface

# Half a window's side by the damage's radius: what heals a hole comes from two radii away.
_REACH = 4.0


@dataclass(frozen=True)
class Spot:
    """A place to draw on.

    Attributes:
        photo: (H, W, 3) uint8, all of it. donor: another good photo, of any size.
        surface: the window around the place.
        top, left: of the window, in pixels of the photo.
        centre: (x, y) of the place in the window.
    """

    photo: Photo
    donor: Photo
    surface: Surface
    top: int
    left: int
    centre: Array

    @classmethod
    def around(cls, photo: Photo, donor: Photo, centre: Array, radius: float) -> Spot:
        """The spot around (x, y) of the photo for a damage of that radius, pixels."""
        height, width = photo.shape[:2]
        half = int(np.ceil(_REACH * radius)) + 4
        x, y = (int(value) for value in centre)
        left, top = max(0, x - half), max(0, y - half)
        window = photo[top : min(height, y + half), left : min(width, x + half)].astype(float)
        surface = Surface(window, np.ones(window.shape[:2], dtype=np.bool_))
        return cls(photo, donor, surface, top, left, centre - [left, top])

    def placed(self, window: Photo) -> Photo:
        """The photo with another window."""
        height, width = window.shape[:2]
        photo = self.photo.copy()
        photo[self.top : self.top + height, self.left : self.left + width] = window
        return photo

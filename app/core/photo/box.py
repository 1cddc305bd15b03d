"""Box: a rectangle, in pixels or in shares of whatever it lies in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle `[left, right) × [top, bottom)`."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def part(self, shares: Box) -> Box:
        """A part of this box, given in shares of it from 0 to 1."""
        return Box(
            self.left + shares.left * self.width,
            self.top + shares.top * self.height,
            self.left + shares.right * self.width,
            self.top + shares.bottom * self.height,
        )

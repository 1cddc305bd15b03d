"""Maps and masks of a test split, for the pixel metrics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..errors import ImageError, MaskError
from ..photo.dataset import Category, LabelledImage
from ..photo.listing import few
from ..photo.masks import Marks, read_mask
from . import metrics
from .shrinking import shrunk

MUCH = 0.5  # a mask that marks more of a photo than this is asked about


class Pixels:
    """Maps and masks of a test split, for the pixel metrics; empty where masks are missing.

    Compared at 256 pixels on the longer side: finer than the patches, and 250 kB an image. Marks
    too small for that keep one pixel each, see `shrinking.py`. A photo whose mask cannot be used is
    left out, and named in the remarks.
    """

    SIDE = 256

    def __init__(self, category: Category) -> None:
        defective = [image for image in category.test if image.is_defective]
        bare = sum(image.mask is None for image in defective)
        self._wanted = bool(defective) and not bare
        self._bare = f"{bare} of {len(defective)}" if 0 < bare < len(defective) else ""
        self._maps: list[npt.NDArray[np.float32]] = []
        self._masks: list[Marks] = []
        self._unusable: list[str] = []
        self._large: list[str] = []
        self.small_marks = 0

    @property
    def unusable(self) -> int:
        """Masks that cannot be used."""
        return len(self._unusable)

    def add(
        self,
        image: LabelledImage,
        anomaly_map: Callable[[tuple[int, int]], npt.NDArray[np.float32] | None],
        size: tuple[int, int],
    ) -> None:
        """Keep a photo's map and mask; what is wrong with the mask is noted, never raised.

        Args:
            anomaly_map: (height, width) -> the map at that shape. size: (width, height), upright.
        """
        if not self._wanted:
            return
        scale = min(1.0, self.SIDE / max(size))
        shape = max(1, round(size[1] * scale)), max(1, round(size[0] * scale))
        mask = self._mask(image, size, shape)
        if mask is None:
            return
        canvas = anomaly_map(shape)
        if canvas is None:
            self._wanted = False
            return
        self._maps.append(canvas)
        self._masks.append(mask)

    def auroc(self) -> float | None:
        return metrics.pixel_auroc(self._maps, self._masks) if self._wanted else None

    def aupro(self) -> float | None:
        return metrics.aupro(self._maps, self._masks) if self._wanted else None

    def remarks(self) -> list[str]:
        """What a person should know of the masks."""
        found = []
        if self._bare:
            found.append(f"{self._bare} defective photos have no mask: no pixel metrics")
        if self._unusable:
            found.append(
                f"{self.unusable} masks cannot be used, and their photos are left out of the pixel "
                f"metrics: {few(self._unusable)}"
            )
        if self._large:
            found.append(
                f"{len(self._large)} masks mark more than half of their photo: are they inverted? "
                f"{few(self._large)}"
            )
        if self.small_marks:
            found.append(
                f"{self.small_marks} marks are smaller than a pixel of the {self.SIDE}-pixel maps: "
                "each counts as one"
            )
        return found

    def _mask(
        self, image: LabelledImage, size: tuple[int, int], shape: tuple[int, int]
    ) -> Marks | None:
        """The mask at the map's shape; None where it cannot be used."""
        if image.mask is None:
            return np.zeros(shape, dtype=bool)
        try:
            marks = read_mask(image.mask, size)
        except MaskError as exc:
            if not image.is_defective:  # a good photo's mask may say so by being black
                return np.zeros(shape, dtype=bool)
            self._unusable.append(f"{image.name} ({exc})")
            return None
        except (ImageError, OSError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else exc
            self._unusable.append(f"{image.name} ({why})")
            return None
        if marks.mean() > MUCH:
            self._large.append(image.name)
        small, lost = shrunk(marks, shape)
        self.small_marks += lost
        return small

"""Maps and masks of a test split, for the pixel metrics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..photo.dataset import Category, LabelledImage
from ..photo.images import decode
from . import metrics


class Pixels:
    """Maps and masks of a test split, for the pixel metrics; empty where masks are missing.

    Compared at 256 pixels on the longer side: finer than the patches, and 250 kB an image.
    """

    SIDE = 256

    def __init__(self, category: Category) -> None:
        defective = [image for image in category.test if image.is_defective]
        self._wanted = bool(defective) and all(image.mask for image in defective)
        self._maps: list[npt.NDArray[np.float32]] = []
        self._masks: list[npt.NDArray[np.bool_]] = []

    def add(
        self,
        image: LabelledImage,
        anomaly_map: Callable[[tuple[int, int]], npt.NDArray[np.float32] | None],
        size: tuple[int, int],
    ) -> None:
        """Keep a photo's map and mask.

        Args:
            anomaly_map: (height, width) -> the map at that shape. size: (width, height), upright.
        """
        if not self._wanted:
            return
        scale = min(1.0, self.SIDE / max(size))
        shape = max(1, round(size[1] * scale)), max(1, round(size[0] * scale))
        canvas = anomaly_map(shape)
        if canvas is None:
            self._wanted = False
            return
        mask = np.zeros(shape, dtype=bool)
        if image.mask is not None:
            grey = decode(image.mask.read_bytes()).rgb.convert("L")
            small = grey.resize((shape[1], shape[0]), Image.Resampling.BOX)
            mask = np.asarray(small) >= 128
        self._maps.append(canvas)
        self._masks.append(mask)

    def auroc(self) -> float | None:
        return metrics.pixel_auroc(self._maps, self._masks) if self._wanted else None

    def aupro(self) -> float | None:
        return metrics.aupro(self._maps, self._masks) if self._wanted else None

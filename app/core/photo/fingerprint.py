"""What a photo is recognised by when another file shows the same picture."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

from .images import DecodedImage
from .preprocess import PreparedImage

# Small enough to keep 10,000 of them (160 MB), large enough that fine texture and noise, which
# tell two photos of one mould apart, are still there.
SIDE = 128


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One photo's.

    Attributes:
        exact: digest of what the network is given: equal, and the features are equal.
        grey: (SIDE, SIDE) uint8, the whole photo squashed to a square.
        pixels: width × height of the photo as stored.
        size: of the file, bytes.
    """

    exact: bytes
    grey: npt.NDArray[np.uint8] = field(repr=False)
    pixels: int
    size: int

    @classmethod
    def of(
        cls, data: bytes, image: DecodedImage, photo: PreparedImage | None = None
    ) -> Fingerprint:
        """Of a file's bytes, its decoded image (a reduced one will do) and the prepared photo,
        where there is one."""
        grey = small_grey(image.rgb)
        digest = hashlib.sha256(repr(photo and photo.content).encode())
        digest.update(np.ascontiguousarray(photo.pixels if photo else grey).data)
        return cls(
            exact=digest.digest(), grey=grey, pixels=image.width * image.height, size=len(data)
        )


def small_grey(rgb: Image.Image) -> npt.NDArray[np.uint8]:
    """(SIDE, SIDE) uint8. The reducing gap spares large photos most of the filter's work."""
    grey = rgb.convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0))

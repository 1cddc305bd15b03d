"""One file of a split, looked at: its size, its format, its mask, what is wrong with either."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..core.errors import ImageError, MaskError
from ..core.files import shown
from ..core.photo.images import decode
from ..core.photo.labels import LabelledImage
from ..core.photo.masks import read_mask

SIDE = 128  # photos are squashed to this square before their pixels are measured

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SeenPhoto:
    """One file of a split.

    Attributes:
        size: (width, height), upright; None where the file cannot be read, and `fault` says why.
        kind: format and pixel mode as stored.
        thumbnail: (SIDE, SIDE, 3), squashed; of a sample of the photos.
        masked: the mask's share of the pixels; None without one, `mask_fault` if it is unusable.
    """

    image: LabelledImage
    split: str
    sha256: str = ""
    size: tuple[int, int] | None = None
    kind: str = ""
    fault: str = ""
    thumbnail: Pixels | None = field(default=None, repr=False, compare=False)
    masked: float | None = None
    mask_fault: str = ""

    @property
    def place(self) -> str:
        return f"{self.split}/{self.image.defect_type}"

    @property
    def name(self) -> str:
        return f"{self.place}/{shown(self.image.path.name)}"

    @property
    def group(self) -> str:
        return "defective" if self.image.is_defective else f"{self.split} good"

    @property
    def brightness(self) -> float:
        """Mean grey value, 0 to 255."""
        return float(self._grey().mean())

    @property
    def contrast(self) -> float:
        return float(self._grey().std())

    def _grey(self) -> Pixels:
        assert self.thumbnail is not None
        return np.asarray(Image.fromarray(self.thumbnail).convert("L"))


def look(image: LabelledImage, split: str, white_level: int, *, measure: bool) -> SeenPhoto:
    """Read a file and its mask; what is wrong with either is noted, never raised.

    Args:
        white_level: as `decode` takes it. measure: keep a thumbnail.
    """
    digest = ""
    try:
        data = image.path.read_bytes()
        digest = sha256(data).hexdigest()
        decoded = decode(data, at_least=(SIDE, SIDE), white_level=white_level)
    except (ImageError, OSError) as exc:
        return SeenPhoto(image, split, digest, fault=_reason(exc))
    kind = f"{decoded.format} {decoded.mode}"
    size = decoded.width, decoded.height
    squashed = np.asarray(decoded.rgb.resize((SIDE, SIDE), Image.Resampling.BOX))
    masked, mask_fault = _masked(image, size)
    return SeenPhoto(
        image, split, digest, size, kind, "", squashed if measure else None, masked, mask_fault
    )


def _masked(image: LabelledImage, size: tuple[int, int]) -> tuple[float | None, str]:
    """The marked share of a mask's pixels, and what is wrong with it."""
    if image.mask is None:
        return None, ""
    try:
        return float(read_mask(image.mask, size).mean()), ""
    except (ImageError, MaskError, OSError) as exc:
        return None, _reason(exc)


def _reason(exc: ImageError | MaskError | OSError) -> str:
    return exc.strerror or "cannot be read" if isinstance(exc, OSError) else str(exc)

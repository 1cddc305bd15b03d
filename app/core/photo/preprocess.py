"""RGB image -> (H, W, 3) uint8 at the network's input size, and where the photo's pixels went.

Three resize rules:

    squash               both sides to the input size; the aspect is lost
    shorter_side_crop    the shorter side to `resize_size`, then the centre square of the input size
    letterbox            the longer side to the input size, the rest padded; nothing is cut or bent
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..arrays import Doubles, Floats
from .box import Box
from .images import DecodedImage
from .look import fully_or_not
from .pixel_types import FULL_WHITE
from .view import ALL, averaged

ResizeRule = Literal["squash", "shorter_side_crop", "letterbox"]
Interpolation = Literal["bilinear", "bicubic"]

_HAIR = 1e-6  # of a pixel
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """One photo at the network's input size.

    Attributes:
        pixels: (H, W, 3) uint8.
        content: where in `pixels` the photo lies; the rest is padding.
        source: which part of the upright photo `content` shows, in the photo's own pixels.
        mask: (m, n) float32 in [0, 1] over the whole photo, the share of each place that is looked
            at; None: all of it.
        shown: the source in shares of the photo, where there is a mask.
    """

    pixels: npt.NDArray[np.uint8]
    content: Box
    source: Box
    mask: Floats | None = None
    shown: Box = ALL

    @property
    def shown_pixels(self) -> npt.NDArray[np.uint8]:
        """(h, w, 3) uint8: the pixels without the padding, at least one each way."""
        box = self.content
        top, left = round(box.top), round(box.left)
        return self.pixels[
            top : max(round(box.bottom), top + 1), left : max(round(box.right), left + 1)
        ]

    def cells(self, grid: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of a patch grid over `pixels` whose centres lie on the photo.

        Patches of the padding are never scored and never enter a bank.
        """
        rows, columns = grid
        height, width = self.pixels.shape[:2]
        return (
            _centres_within(rows, height / rows, self.content.top, self.content.bottom),
            _centres_within(columns, width / columns, self.content.left, self.content.right),
        )

    def content_in(self, grid: tuple[int, int]) -> Box:
        """Where the photo lies in a patch grid over `pixels`, in cells."""
        to_y, to_x = (n / side for n, side in zip(grid, self.pixels.shape[:2], strict=True))
        box = self.content
        return Box(box.left * to_x, box.top * to_y, box.right * to_x, box.bottom * to_y)

    def unmasked(self, grid: tuple[int, int]) -> Floats | None:
        """(h, w) float32: of the cells whose centres lie on the photo, 1 for those that the mask
        leaves to look at, 0 for the others; None without a mask."""
        if self.mask is None:
            return None
        rows, columns = self.cells(grid)
        content, shown = self.content_in(grid), self.shown

        def edges(cells: slice, start: float, end: float, low: float, high: float) -> Doubles:
            # Padding shows nothing: a cell that lies in it in part is judged by the rest.
            inside = np.clip(np.arange(cells.start, cells.stop + 1), start, end)
            return low + (inside - start) / (end - start) * (high - low)

        return fully_or_not(
            averaged(
                self.mask,
                edges(rows, content.top, content.bottom, shown.top, shown.bottom),
                edges(columns, content.left, content.right, shown.left, shown.right),
            )
        )


def _centres_within(count: int, step: float, low: float, high: float) -> slice:
    first, last = math.ceil(low / step - 0.5), math.ceil(high / step - 0.5)
    if first >= last:  # a sliver of a photo, narrower than a patch: the one patch it lies in
        first = min(int((low + high) / 2 / step), count - 1)
        last = first + 1
    return slice(first, last)


class Preprocess(BaseModel):
    """How a photo becomes the network's input; part of the feature spec.

    Attributes:
        input_size: H = W of the network's input, pixels.
        resize: the rule, see the top of this file.
        resize_size: the shorter side before the crop (`shorter_side_crop` only), pixels.
        interpolation: always antialiased.
        mean, std: per channel, of RGB in [0, 1].
        draft_margin: 0 decodes JPEGs in full; m > 0 lets them be decoded at 1/2, 1/4 or 1/8 as
            long as both sides stay at least m times what the resize asks for.
        white_level: the value of a 16-bit photo that is white; the build measures it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    input_size: int = Field(ge=32, le=2048)
    resize: ResizeRule
    resize_size: int | None = Field(default=None, ge=32, le=4096)
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    draft_margin: float = Field(default=0.0, ge=0.0, le=8.0)
    white_level: int = Field(default=FULL_WHITE, ge=1, le=FULL_WHITE)

    @model_validator(mode="after")
    def _check(self) -> Preprocess:
        cropped = self.resize == "shorter_side_crop"
        if cropped != (self.resize_size is not None):
            raise ValueError("resize_size belongs to shorter_side_crop, and only to it")
        if self.resize_size is not None and self.resize_size < self.input_size:
            raise ValueError("resize_size must be at least input_size")
        if self.resize_size is not None and self.resize_size > 2 * self.input_size:
            raise ValueError("resize_size may be twice the input_size at most")
        if min(self.std) <= 0:
            raise ValueError("std must be positive")
        return self

    def at_least(self) -> tuple[int, int] | None:
        """The (width, height) below which a reduced decode must not fall; None: decode in full."""
        if self.draft_margin == 0:
            return None
        side = round((self.resize_size or self.input_size) * self.draft_margin)
        return side, side

    def prepare(self, image: DecodedImage) -> PreparedImage:
        """Resize (and crop or pad) one photo to `(input_size, input_size, 3) uint8`."""
        if self.resize == "squash":
            prepared = self._squash(image)
        elif self.resize == "shorter_side_crop":
            prepared = self._shorter_side_crop(image)
        else:
            prepared = self._letterbox(image)
        if image.mask is None:
            return prepared
        source, width, height = prepared.source, image.width, image.height
        shown = Box(
            source.left / width, source.top / height, source.right / width, source.bottom / height
        )
        return replace(prepared, mask=image.mask, shown=shown)

    def _resized(self, image: DecodedImage, width: int, height: int) -> Image.Image:
        """What is looked at of the photo, which may have been decoded at a part of its size."""
        view, rgb = image.view, image.rgb
        to_x, to_y = rgb.width / image.width, rgb.height / image.height
        left, right = view.left * to_x, min(view.right * to_x, rgb.width)
        top, bottom = view.top * to_y, min(view.bottom * to_y, rgb.height)
        # Cut out first: the filter would reach for pixels beyond the box. Rounding must not pass
        # the rim, nor take a pixel more for a billionth of it.
        x, y = math.floor(left + _HAIR), math.floor(top + _HAIR)
        outer = x, y, math.ceil(right - _HAIR), math.ceil(bottom - _HAIR)
        if outer != (0, 0, rgb.width, rgb.height):
            rgb = rgb.crop(outer)
        box = (
            max(left - x, 0),
            max(top - y, 0),
            min(right - x, rgb.width),
            min(bottom - y, rgb.height),
        )
        return rgb.resize((width, height), _FILTERS[self.interpolation], box=box)

    def _squash(self, image: DecodedImage) -> PreparedImage:
        size = self.input_size
        return PreparedImage(
            pixels=np.asarray(self._resized(image, size, size)),
            content=Box(0, 0, size, size),
            source=image.view,
        )

    def _shorter_side_crop(self, image: DecodedImage) -> PreparedImage:
        assert self.resize_size is not None
        view = image.view
        size, shorter = self.input_size, min(view.width, view.height)
        # The longer side is truncated and the crop's corner rounded, as torchvision does.
        width = int(self.resize_size * view.width / shorter)
        height = int(self.resize_size * view.height / shorter)
        left, top = round((width - size) / 2), round((height - size) / 2)
        resized = self._resized(image, width, height)
        cut = Box(left / width, top / height, (left + size) / width, (top + size) / height)
        return PreparedImage(
            pixels=np.asarray(resized.crop((left, top, left + size, top + size))),
            content=Box(0, 0, size, size),
            source=view.part(cut),
        )

    def _letterbox(self, image: DecodedImage) -> PreparedImage:
        size = self.input_size
        view = image.view
        scale = size / max(view.width, view.height)
        width = max(1, round(view.width * scale))
        height = max(1, round(view.height * scale))
        left, top = (size - width) // 2, (size - height) // 2
        # Padded with the photo's own edge pixels: a flat bar would put a hard edge next to the
        # photo, and the patches along it would carry that edge.
        pixels = np.pad(
            np.asarray(self._resized(image, width, height)),
            ((top, size - height - top), (left, size - width - left), (0, 0)),
            mode="edge",
        )
        return PreparedImage(
            pixels=pixels,
            content=Box(left, top, left + width, top + height),
            source=view,
        )

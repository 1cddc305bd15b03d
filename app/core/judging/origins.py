"""Origins: which place of which good photo each vector of a bank is, and small pictures of them.

Kept in the bank, since the service that asks it need not have the photos. A picture shows as much
of one good photo as is around its cells in the bank, not each cell by itself: neighbours in the
bank are neighbours on the photo, and 20 pictures of one place would cost 20 times as much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..arrays import Pixels
from ..errors import BankError, ImageError
from ..photo.box import Box
from ..photo.small_jpeg import checked, decoded

Integers = npt.NDArray[np.int32]

# No picture is larger than a network's input (`Preprocess.input_size`).
MAX_PICTURE_PIXELS = 2048 * 2048
# Pixels along a photo's side, more than any that is read has.
_MAX_SIDE = 1 << 28
_BOX = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class Pictures:
    """A JPEG for each of M good photos, one behind the other.

    Attributes:
        data: (bytes,) uint8. ends: (M,) int32, where each one ends in it.
        frames: (M, 4) int32, which part of its photo each shows: left, top, right, bottom in pixels
            of the upright photo.
    """

    data: Pixels = field(repr=False)
    ends: Integers = field(repr=False)
    frames: Integers = field(repr=False)

    def file(self, photo: int) -> bytes:
        """The JPEG of that one of the M photos."""
        start = self.ends[photo - 1] if photo else 0
        return self.data[start : self.ends[photo]].tobytes()

    def shown(self, photo: int) -> tuple[Pixels, Box] | None:
        """(H, W, 3) uint8 of that photo, and which part of it that is; None where the picture
        cannot be decoded."""
        try:
            picture = decoded(self.file(photo), MAX_PICTURE_PIXELS)
        except ImageError:
            return None
        return np.asarray(picture), Box(*map(float, self.frames[photo]))


@dataclass(frozen=True)
class Origins:
    """Of each of a bank's N vectors, the good photo (of M) and the place on it.

    Attributes:
        photo: (N,) int32, which of the M.
        boxes: (N, 4) int32, left, top, right, bottom in pixels of the upright photo.
        numbers: (M,) int32, the photo's place among the files of `train/good`, sorted by name,
            from 1.
        pictures: None where the build was told to keep none.
    """

    photo: Integers = field(repr=False)
    boxes: Integers = field(repr=False)
    numbers: Integers = field(repr=False)
    pictures: Pictures | None = field(default=None, repr=False)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """As they are stored, under `origins.<name>`."""
        found: dict[str, npt.NDArray[Any]] = {
            "photo": self.photo,
            "boxes": self.boxes,
            "numbers": self.numbers,
        }
        if self.pictures is not None:
            pictures = self.pictures
            found |= {
                "pictures": pictures.data,
                "picture_ends": pictures.ends,
                "picture_frames": pictures.frames,
            }
        return found

    @classmethod
    def load(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> Self:
        """What `tensors` gave, from an untrusted file.

        Raises:
            BankError: names, types, shapes or values that are none of its own.
        """
        shapes: dict[str, tuple[Any, int]] = {
            "photo": (np.int32, 1),
            "boxes": (np.int32, 2),
            "numbers": (np.int32, 1),
        }
        pictured = {
            "pictures": (np.uint8, 1),
            "picture_ends": (np.int32, 1),
            "picture_frames": (np.int32, 2),
        }
        wanted = shapes | pictured if set(tensors) & set(pictured) else shapes
        if set(tensors) != set(wanted):
            odd = ", ".join(sorted(set(tensors) ^ set(wanted)))
            raise BankError(f"the bank's origins lack, or should not have, {odd}")
        for name, (dtype, axes) in wanted.items():
            if tensors[name].dtype != np.dtype(dtype) or tensors[name].ndim != axes:
                raise BankError(f"the bank's origins.{name} must be {np.dtype(dtype)}, {axes} axes")
        photo, boxes, numbers = tensors["photo"], tensors["boxes"], tensors["numbers"]
        if not len(numbers) or numbers.min() < 1 or len(np.unique(numbers)) < len(numbers):
            raise BankError("the numbers of a bank's good photos must be distinct, from 1")
        if not len(photo) or photo.min() < 0 or photo.max() >= len(numbers):
            raise BankError("a vector of the bank comes from a photo that it does not name")
        _check_boxes("boxes", boxes, len(photo))
        if wanted is shapes:
            return cls(photo, boxes, numbers)
        ends, frames = tensors["picture_ends"], tensors["picture_frames"]
        _check_boxes("picture_frames", frames, len(numbers))
        starts = np.concatenate([[0], ends[:-1]])
        if ends.shape != numbers.shape or not (starts < ends).all():
            raise BankError("the bank's pictures do not follow one another, one for each photo")
        if ends[-1] != len(tensors["pictures"]):
            raise BankError("the bank's pictures do not end where their bytes do")
        own = frames[photo]
        if (boxes[:, :2] < own[:, :2]).any() or (boxes[:, 2:] > own[:, 2:]).any():
            raise BankError("a vector's place lies beyond the picture of its photo")
        pictures = Pictures(tensors["pictures"], ends, frames)
        for number in range(len(numbers)):
            try:
                checked(pictures.file(number), MAX_PICTURE_PIXELS)
            except ImageError as exc:
                raise BankError(f"picture {number} of the bank's good photos: {exc}") from exc
        return cls(photo, boxes, numbers, pictures)

    def __len__(self) -> int:
        return len(self.photo)


def _check_boxes(name: str, boxes: Integers, count: int) -> None:
    if boxes.shape != (count, 4):
        raise BankError(f"the bank's origins.{name} are {boxes.shape}, not {(count, 4)}")
    if boxes.min() < 0 or boxes.max() > _MAX_SIDE or (boxes[:, :2] >= boxes[:, 2:]).any():
        raise BankError(f"the bank's origins.{name} are no boxes: {', '.join(_BOX)} in pixels")

"""`[look]` of a preset: which part of the photos is judged, found when the bank is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from ..arrays import Floats
from ..errors import ImageError, PresetError
from ..features.extractor import FeatureExtractor
from ..features.sample import Sample, Samples
from ..photo.box import Box
from ..photo.look import WHOLE, Look, LookRecord, Shares
from ..photo.view import Point, averaged, white_of, within_corners
from .prior import Prior, learn_prior

# Places of a mask along its longer side: a quarter of a patch of 32 × 32, or finer.
_MASK_SIDE = 128


class _Choice(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def seen(self) -> Look:
        """What is known of the look before a photo is read."""
        return WHOLE

    @property
    def crop(self) -> Shares | None:
        """To what photos are cropped; None: all of them is seen."""
        return None

    @property
    def all_teach(self) -> bool:
        """Whether the bank learns from all that is seen."""
        return True


class LookWhole(_Choice):
    """All of each photo."""

    kind: Literal["whole"] = "whole"


class LookBox(_Choice):
    """A rectangle, in which the goods stand.

    Attributes:
        box: left, top, right, bottom, shares of the upright photo.
        zoom: crop photos to it, so that goods that are small in the photo fill the network's input.
            Else all of the photo is seen, the bank learns from all of it, and what lies in the box
            is judged. Features of the whole photo have no places: they need the zoom.
    """

    kind: Literal["box"]
    box: Shares
    zoom: bool = False

    def seen(self) -> Look:
        return Look(LookRecord(kind="box", box=self.box, zoom=self.zoom))

    @property
    def crop(self) -> Shares | None:
        return self.box if self.zoom else None


class LookMask(_Choice):
    """Places that a person marked.

    Attributes:
        file: an image of the photo's shape, white where to look.
        polygon: in its place, corners in shares of the upright photo.
        box: crop to it, too; the mask stays one of the whole photo.
    """

    kind: Literal["mask"]
    file: Path | None = None
    polygon: tuple[Point, ...] | None = Field(default=None, min_length=3, max_length=1000)
    box: Shares | None = None

    @model_validator(mode="after")
    def _check(self) -> LookMask:
        if (self.file is None) == (self.polygon is None):
            raise ValueError("a mask is a file or a polygon, one of the two")
        if any(not (0 <= x <= 1 and 0 <= y <= 1) for x, y in self.polygon or ()):
            raise ValueError("a polygon's corners are shares of the photo, from 0 to 1")
        return self

    def seen(self) -> Look:
        """
        Raises:
            PresetError: the mask cannot be read, or marks nothing.
        """
        if self.polygon is not None:
            marked = within_corners(self.polygon, _MASK_SIDE)
        else:
            marked = _read(self.file)
        if self.box is not None:
            marked = _cropped(marked, Box(*self.box))
        if not marked.any():
            raise PresetError("the mask marks nothing that could be looked at")
        return Look(LookRecord(kind="mask", box=self.box), marked)

    @property
    def crop(self) -> Shares | None:
        return self.box

    @property
    def all_teach(self) -> bool:
        return False


class LookLearned(_Choice):
    """Places weighted by a prior that is learnt from the good photos (`prior.py`).

    Attributes:
        power: a place's weight is its probability to that power.
        least: places of a lower probability have no score. The bank learns from them all the same:
            goods are not always where they mostly are, and what is then seen there must be known.
        box: crop to it first.
    """

    kind: Literal["learned"]
    power: float = Field(default=0.5, gt=0.0, le=4.0)
    least: float = Field(default=0.5, ge=0.0, lt=1.0)
    box: Shares | None = None

    def seen(self) -> Look:
        return WHOLE if self.box is None else Look(LookRecord(kind="box", box=self.box))

    @property
    def crop(self) -> Shares | None:
        return self.box

    def learnt(self, samples: Samples) -> tuple[Look, Prior]:
        """The look, from good photos of which all is seen that `seen` shows."""
        prior = learn_prior(samples)
        probability = np.clip(prior.probability, 0, 1)
        least = min(self.least, float(probability.max()))
        weights = np.where(probability >= least, probability**self.power, 0).astype(np.float32)
        return Look(LookRecord(kind="learned", box=self.box), weights), prior


@dataclass(frozen=True)
class Looked(Samples):
    """Samples of whole photos as a look shows them."""

    samples: Samples
    look: Look

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index].seen_by(self.look)


def seen_by(choice: LookChoice, extractor: FeatureExtractor) -> FeatureExtractor:
    """The extractor as it sees photos by what is known of the look before one is read.

    Raises:
        PresetError: a look that these features cannot have; told now, not when all is embedded.
    """
    if isinstance(choice, LookLearned):
        extractor.looking(Look(LookRecord(kind="learned", box=choice.box)))
    return extractor.looking(choice.seen())


def through(
    choice: LookChoice, samples: Samples, extractor: FeatureExtractor
) -> tuple[Samples, FeatureExtractor]:
    """What a look leaves of samples that were made through `choice.seen()`, and the extractor of
    those to come."""
    if not isinstance(choice, LookLearned):
        return samples, extractor
    look, _ = choice.learnt(samples)
    return Looked(samples, look), extractor.looking(look)


LookChoice = Annotated[LookWhole | LookBox | LookMask | LookLearned, Field(discriminator="kind")]
_ANY: TypeAdapter[LookChoice] = TypeAdapter(LookChoice)


def chosen(
    kind: str | None, box: str | None, mask: Path | None, *, zoom: bool = False
) -> LookChoice | None:
    """The look that a person asks for by options; None: the preset's.

    Args:
        kind: whole, box, mask or learned; None: as box and mask say.
        box: `left,top,right,bottom` in shares of the photo. zoom: crop to it; where there is a mask
            or a learned prior, too, that is so in any case.

    Raises:
        PresetError: options that say nothing, or contradict each other.
    """
    if kind is None:
        kind = "mask" if mask is not None else "box" if box is not None else None
        if kind is None:
            if zoom:
                raise PresetError("--zoom crops to a box: give it by --box")
            return None
    values: dict[str, object] = {"kind": kind}
    if zoom and kind != "box" and box is None:
        raise PresetError("--zoom crops to a box: give it by --box")
    if zoom and kind == "box":
        values["zoom"] = True
    if box is not None:
        values["box"] = _corners(box)
    if mask is not None:
        values["file"] = mask
    try:
        return _ANY.validate_python(values)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        field = str(first["loc"][-1]) if first["loc"] else "look"
        option = {"file": "mask"}.get(field, field)
        if first["type"] == "missing":
            reason = f"a {kind} look needs --{option}"
        elif first["type"] == "extra_forbidden":
            reason = f"a {kind} look takes no --{option}"
        elif first["type"] == "union_tag_invalid":
            reason = f"--look is whole, box, mask, learned or auto, not {kind}"
        elif kind == "mask" and mask is None:
            reason = "a mask look needs --mask"
        else:
            reason = str(first["msg"]).removeprefix("Value error, ")
            if first["type"] == "finite_number":
                reason = "--box is four numbers from 0 to 1"
        raise PresetError(reason) from exc


def _corners(box: str) -> list[float]:
    try:
        corners = [float(corner) for corner in box.split(",")]
    except ValueError:
        corners = []
    if len(corners) != 4:
        raise PresetError(
            f"--box is left,top,right,bottom in shares of the photo, as 0.2,0.1,0.8,0.9, not {box}"
        )
    return corners


def _read(file: Path | None) -> Floats:
    assert file is not None
    try:
        return white_of(file.read_bytes(), _MASK_SIDE)
    except OSError as exc:
        raise PresetError(f"the mask {file} cannot be read: {exc.strerror}") from exc
    except ImageError as exc:
        raise PresetError(f"the mask {file} cannot be read: {exc}") from exc


def _cropped(marked: Floats, box: Box) -> Floats:
    height, width = marked.shape
    return averaged(
        marked,
        np.linspace(box.top, box.bottom, height + 1),
        np.linspace(box.left, box.right, width + 1),
    )

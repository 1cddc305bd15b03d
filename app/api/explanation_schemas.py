"""The nearest good patches, as they are answered: JSON with pictures ready for an `<img>`."""

from __future__ import annotations

import base64
from typing import Self

from pydantic import BaseModel, Field

from ..core.judging import explanation as core
from ..core.photo.box import Box


class RegionBox(BaseModel):
    """Pixels of the upright photo; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int


class PictureInfo(BaseModel):
    """A small picture of a part of a photo."""

    src: str = Field(
        description="a JPEG as a data URI, ready for the `src` of an `<img>`",
        examples=["data:image/jpeg;base64,/9j/4AAQ…"],
    )
    part: RegionBox = Field(description="which part of its photo it shows")

    @classmethod
    def of(cls, shown: core.Shown) -> Self:
        text = base64.b64encode(shown.jpeg).decode()
        return cls(src=f"data:image/jpeg;base64,{text}", part=_box(shown.part))


class GoodPatchInfo(BaseModel):
    """A patch of a good photo that is in the bank."""

    distance: float = Field(
        description="Euclidean, to the place that is judged, in the unit of its features; 0: equal"
    )
    photo: int = Field(
        description="which good photo: its place among the files of `train/good`, sorted by name, "
        "from 1"
    )
    box: RegionBox = Field(description="the patch, on that good photo")
    picture: PictureInfo | None = Field(
        description="the patch with what is around it; null where the bank was built without "
        "pictures"
    )

    @classmethod
    def of(cls, patch: core.GoodPatch) -> Self:
        picture = PictureInfo.of(patch.picture) if patch.picture is not None else None
        return cls(distance=patch.distance, photo=patch.photo, box=_box(patch.box), picture=picture)


class PlaceInfo(BaseModel):
    """An anomalous place of the photo, and the good patches nearest to it."""

    box: RegionBox
    score: float = Field(
        description="the anomaly map's value there; with a method without patches the photo's score"
    )
    picture: PictureInfo = Field(description="the place with what is around it, as it was judged")
    nearest: list[GoodPatchInfo] = Field(
        description="up to five, the nearest first, of different good photos as far as there are "
        "as many"
    )

    @classmethod
    def of(cls, place: core.Place) -> Self:
        return cls(
            box=_box(place.box),
            score=place.score,
            picture=PictureInfo.of(place.picture),
            nearest=[GoodPatchInfo.of(patch) for patch in place.nearest],
        )


class ExplanationInfo(BaseModel):
    """What in the photo differs most from good photos, and what it was compared with."""

    places: list[PlaceInfo] = Field(
        description="the peaks of the three highest regions, or the single highest place where "
        "there is no region; the whole photo for methods without patches"
    )
    reason: str | None = Field(description="why there are none; else null")

    @classmethod
    def of(cls, explanation: core.Explanation) -> Self:
        places = [PlaceInfo.of(place) for place in explanation.places]
        return cls(places=places, reason=explanation.reason)


def _box(box: Box) -> RegionBox:
    return RegionBox(
        left=int(box.left), top=int(box.top), right=int(box.right), bottom=int(box.bottom)
    )

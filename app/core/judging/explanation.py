"""Why a photo is judged as it is: its most anomalous places beside the good patches nearest to
them in the bank."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..arrays import Floats, Pixels
from ..methods.method import Method
from ..photo.box import Box
from ..photo.cell_boxes import CellBoxes, context, outward
from ..photo.small_jpeg import encoded
from .anomaly_map import find_peaks
from .inspection import Inspection
from .origins import Integers, Origins

PLACES, NEAREST = 3, 5
# They are looked at, not measured: a little better than what the bank holds.
_QUALITY = 85


@dataclass(frozen=True)
class Shown:
    """A small picture of a part of a photo.

    Attributes:
        jpeg: its file.
        part: what it shows, in pixels of the upright photo.
    """

    jpeg: bytes = field(repr=False)
    part: Box


@dataclass(frozen=True)
class GoodPatch:
    """A cell of a good photo that is in the bank.

    Attributes:
        distance: Euclidean, between the judged cell's features and its own; in the unit of the
            cells' scores, before a look weighs them.
        photo: the good photo's place among the files of `train/good`, sorted by name, from 1.
        box: the cell, in pixels of the upright good photo.
        picture: the cell and what is around it; None where the bank holds no pictures.
    """

    distance: float
    photo: int
    box: Box
    picture: Shown | None


@dataclass(frozen=True)
class Place:
    """An anomalous place of the judged photo: one cell; with a global method the whole photo.

    Attributes:
        box: in pixels of the upright photo.
        score: the map's value there; with a global method the photo's score.
        picture: the cell and what is around it, as the network got it.
        nearest: the nearest first, of different good photos as far as there are as many.
    """

    box: Box
    score: float
    picture: Shown
    nearest: tuple[GoodPatch, ...]


@dataclass(frozen=True)
class Explanation:
    """The places, the most anomalous first.

    Attributes:
        reason: why there are none.
    """

    places: tuple[Place, ...]
    reason: str | None = None


def explain(
    inspection: Inspection,
    method: Method,
    origins: Origins | None,
    grid: tuple[int, int],
    threshold: float,
) -> Explanation:
    """The peaks of the map's highest regions, or its highest cell where no region is.

    Args:
        grid: cells of the network's whole input.
        threshold: of the map, which makes regions.
    """
    if origins is None:
        return Explanation((), _why_none(method))
    cells = _cells(inspection, grid, threshold)
    patches = inspection.embedding[[_row(inspection, cell) for cell in cells]]
    distances = method.distances(patches)
    if distances is None or distances.shape[1] != len(origins):
        return Explanation((), _why_none(method))
    geometry = CellBoxes.of(inspection.placement)
    rows, columns = inspection.placement.cells(grid)
    places = np.array(
        [(rows.start + row) * grid[1] + columns.start + column for row, column in cells]
    )
    boxes = geometry.in_photo(geometry.in_input(places, grid))
    own = inspection.placement.shown_pixels, outward(geometry.source)
    score_map = inspection.score_map
    return Explanation(
        tuple(
            Place(
                box=Box(*box.tolist()),
                score=inspection.score if score_map is None else float(score_map[cell]),
                picture=_picture(*own, Box(*box.tolist()), grid),
                nearest=_nearest(of_one, origins, grid),
            )
            for cell, box, of_one in zip(cells, boxes, distances, strict=True)
        )
    )


def _why_none(method: Method) -> str:
    if not method.keeps_cells:
        return f"the method {method.kind} keeps no patches of good photos to show"
    return (
        "the bank does not say where on which good photo its vectors were taken, as those of older "
        "releases: build it again"
    )


def _cells(
    inspection: Inspection, grid: tuple[int, int], threshold: float
) -> list[tuple[int, int]]:
    if inspection.score_map is None:
        return [(0, 0)]
    return find_peaks(
        inspection.score_map,
        grid,
        inspection.placement,
        (inspection.width, inspection.height),
        threshold,
        looked=inspection.looked,
        most=PLACES,
    )


def _row(inspection: Inspection, cell: tuple[int, int]) -> int:
    """Which of the photo's patches a cell of the map is."""
    if inspection.score_map is None:
        return 0
    place = cell[0] * inspection.score_map.shape[1] + cell[1]
    looked = inspection.looked
    return place if looked is None else int(np.count_nonzero(looked.ravel()[:place]))


def _nearest(distances: Floats, origins: Origins, grid: tuple[int, int]) -> tuple[GoodPatch, ...]:
    return tuple(
        GoodPatch(
            distance=float(distances[vector]),
            photo=int(origins.numbers[origins.photo[vector]]),
            box=Box(*map(float, origins.boxes[vector])),
            picture=_good_picture(vector, origins, grid),
        )
        for vector in chosen(distances, origins.photo, NEAREST)
    )


def chosen(distances: Floats, photos: Integers, count: int) -> list[int]:
    """(N,) distances and (N,) the photo of each -> the nearest one of each of the `count` nearest
    photos; where there are fewer photos, the next nearest make up the number. Nearest first."""
    order = np.argsort(distances, kind="stable")
    _, first = np.unique(photos[order], return_index=True)
    ranks = np.sort(first)[:count]
    others = np.setdiff1d(np.arange(min(len(order), 2 * count)), ranks)
    ranks = np.sort(np.concatenate([ranks, others[: count - len(ranks)]]))
    return [int(vector) for vector in order[ranks]]


def _good_picture(vector: int, origins: Origins, grid: tuple[int, int]) -> Shown | None:
    if origins.pictures is None:
        return None
    found = origins.pictures.shown(int(origins.photo[vector]))
    if found is None:
        return None
    return _picture(*found, Box(*map(float, origins.boxes[vector])), grid)


def _picture(pixels: Pixels, frame: Box, box: Box, grid: tuple[int, int]) -> Shown:
    """The cell at `box` with what is around it, cut out of a picture that shows `frame`."""
    edges = np.array([[box.left, box.top, box.right, box.bottom]])
    part = Box(*context(edges, frame, grid)[0].tolist())
    height, width = pixels.shape[:2]
    to_x, to_y = width / frame.width, height / frame.height
    left, top = int((part.left - frame.left) * to_x), int((part.top - frame.top) * to_y)
    right = max(left + 1, round((part.right - frame.left) * to_x))
    bottom = max(top + 1, round((part.bottom - frame.top) * to_y))
    return Shown(encoded(pixels[top:bottom, left:right], _QUALITY), part)

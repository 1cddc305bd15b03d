"""The grid's patch scores -> a map over the photo as it was sent, its regions, an overlay.

Geometry: cell (i, j) of a grid over an input of S pixels covers `[j, j + 1) · S / w` across; the
part of the input that shows the photo and the part of the photo it shows come from the resize rule.
The map is interpolated between cell centres and continued flat beyond the outermost ones.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion, find_objects, label

from ..arrays import Floats, Mask
from ..photo.box import Box
from ..photo.preprocess import PreparedImage

# Regions are found on a map of this many pixels on its longer side: an eighth of a patch or finer.
_REGION_SIDE = 256
_MAX_REGIONS = 50

# Colours by score: from calm to the threshold, and from the threshold to twice its excess.
_CALM, _NEAR = (30, 136, 229), (67, 160, 71)
_ABOVE, _FAR = (255, 179, 0), (211, 47, 47)
_OUTLINE = (255, 255, 255)
# What was not looked at: its grey, drawn towards this one, so that it pales on a dark photo and
# dims on a light one; its edge is a light line beside a dark one, of which one shows on any photo.
_VEIL, _VEILED = 70.0, 0.6
_EDGE = ((235, 235, 235), (25, 25, 25))


@dataclass(frozen=True, slots=True)
class Region:
    """A connected place of the photo whose map exceeds the threshold.

    Attributes:
        left, top, right, bottom: pixels of the upright photo, right and bottom exclusive.
        peak: the highest score inside.
        area: pixels of the photo.
    """

    left: int
    top: int
    right: int
    bottom: int
    peak: float
    area: int


def place(
    score_map: Floats,
    grid: tuple[int, int],
    placement: PreparedImage,
    photo: tuple[float, float],
    shape: tuple[int, int],
) -> Floats:
    """The anomaly map over the whole photo.

    Args:
        score_map: (h, w) float32, the cells that lie on the photo.
        grid: cells of the whole input, those of the padding included.
        placement: the prepared photo, for its geometry.
        photo: (width, height) of the upright photo, pixels.
        shape: (height, width) wanted.

    Returns:
        shape float32; 0 where a crop kept the network from looking.
    """
    rows, columns = placement.cells(grid)
    full = np.pad(
        score_map,
        ((rows.start, grid[0] - rows.stop), (columns.start, grid[1] - columns.stop)),
        mode="edge",
    )
    height, width = shape
    to_x, to_y = width / photo[0], height / photo[1]
    source, content = placement.source, placement.content
    left, right = round(source.left * to_x), round(source.right * to_x)
    top, bottom = round(source.top * to_y), round(source.bottom * to_y)
    input_height, input_width = placement.pixels.shape[:2]
    to_column, to_row = grid[1] / input_width, grid[0] / input_height
    # Pillow takes the box in the source's own units, centres at half-integers, as cells have them.
    seen = Image.fromarray(full).resize(
        (max(1, right - left), max(1, bottom - top)),
        Image.Resampling.BILINEAR,
        box=(
            content.left * to_column,
            content.top * to_row,
            content.right * to_column,
            content.bottom * to_row,
        ),
    )
    canvas = np.zeros(shape, dtype=np.float32)
    inside = np.asarray(seen)[: height - top, : width - left]
    canvas[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return canvas


def find_regions(
    score_map: Floats,
    grid: tuple[int, int],
    placement: PreparedImage,
    photo: tuple[int, int],
    threshold: float,
) -> list[Region]:
    """The places that exceed the map's threshold, highest peak first, at most 50."""
    found = _regions(score_map, grid, placement, photo, threshold)
    return [region for region, _ in found[:_MAX_REGIONS]]


def find_peaks(
    score_map: Floats,
    grid: tuple[int, int],
    placement: PreparedImage,
    photo: tuple[int, int],
    threshold: float,
    *,
    looked: Mask | None = None,
    most: int,
) -> list[tuple[int, int]]:
    """Row and column in the map of the highest cell of each region, highest first; of the whole map
    where nothing exceeds the threshold.

    Args:
        looked: (h, w), the cells that were looked at, others are none; None: all.
    """
    seen = score_map if looked is None else np.where(looked, score_map, -np.inf)
    rows, columns = placement.cells(grid)
    content, (height, width) = placement.content_in(grid), score_map.shape
    found: list[tuple[int, int]] = []
    for _, (x, y) in _regions(score_map, grid, placement, photo, threshold):
        column = int(content.left + x * content.width) - columns.start
        row = int(content.top + y * content.height) - rows.start
        # Where two cells are about as high the peak may be drawn on their border.
        top, left = max(0, min(row, height - 1) - 1), max(0, min(column, width - 1) - 1)
        near = seen[top : top + 3, left : left + 3]
        down, right = np.unravel_index(int(near.argmax()), near.shape)
        cell = top + int(down), left + int(right)
        if np.isfinite(seen[cell]) and cell not in found:
            found.append(cell)
        if len(found) == most:
            break
    if found:
        return found
    row, column = np.unravel_index(int(seen.argmax()), seen.shape)
    return [(int(row), int(column))]


def _regions(
    score_map: Floats,
    grid: tuple[int, int],
    placement: PreparedImage,
    photo: tuple[int, int],
    threshold: float,
) -> list[tuple[Region, tuple[float, float]]]:
    """All of them, highest first, each with its peak's x and y in shares of what was seen."""
    if not score_map.max() > threshold:
        return []
    # Over the part that was seen alone: a crop may be a small one of a large photo.
    source = placement.source
    seen = replace(placement, source=Box(0, 0, source.width, source.height))
    scale = _REGION_SIDE / max(source.width, source.height)
    shape = max(1, round(source.height * scale)), max(1, round(source.width * scale))
    canvas = place(score_map, grid, seen, (source.width, source.height), shape)
    # Interpolation may pass just below the one cell that exceeds: the highest place stands for it.
    above = canvas > min(threshold, float(canvas.max()) * (1 - 1e-6))
    labels, _ = label(above)
    to_x, to_y = source.width / shape[1], source.height / shape[0]
    regions = []
    for index, (rows, columns) in enumerate(find_objects(labels), start=1):
        own = labels[rows, columns] == index
        inside = np.where(own, canvas[rows, columns], -np.inf)
        down, right = np.unravel_index(int(inside.argmax()), inside.shape)
        region = Region(
            left=int(source.left + columns.start * to_x),
            top=int(source.top + rows.start * to_y),
            right=min(photo[0], int(np.ceil(source.left + columns.stop * to_x))),
            bottom=min(photo[1], int(np.ceil(source.top + rows.stop * to_y))),
            peak=float(inside.max()),
            area=max(1, round(int(own.sum()) * to_x * to_y)),
        )
        x, y = columns.start + int(right) + 0.5, rows.start + int(down) + 0.5
        regions.append((region, (x / shape[1], y / shape[0])))
    return sorted(regions, key=lambda one: -one[0].peak)


def overlay_png(
    picture: Image.Image,
    score_map: Floats,
    grid: tuple[int, int],
    placement: PreparedImage,
    *,
    photo: tuple[int, int],
    scale: tuple[float, float],
    looked: Mask | None = None,
) -> bytes:
    """The photo, upright, with its anomaly map on a scale fixed by the bank.

    Up to `low` (the median patch of held-out good photos) nothing is drawn; from there to the
    threshold a faint blue to green; above the threshold yellow to red, outlined in white. So a
    normal photo looks calm, whatever its own highest score. What was not looked at is veiled in
    grey, with a thin line around what was.

    Args:
        picture: the photo to draw on, RGB, of any size.
        photo: (width, height) of the upright photo as it was sent, pixels.
        scale: the map's low and threshold.
        looked: (h, w), the cells that were looked at; None: all of the photo was.

    Returns:
        a PNG of the picture's size.
    """
    low, threshold = scale
    canvas = place(score_map, grid, placement, photo, (picture.height, picture.width))
    base = np.asarray(picture, dtype=np.float32)
    colour, opacity = _colours(canvas, low, threshold)
    blended = base * (1 - opacity[..., None]) + colour * opacity[..., None]
    above = canvas > threshold
    if looked is not None:
        seen = place(looked.astype(np.float32), grid, placement, photo, canvas.shape) > 0.5
        above &= seen
        blended = veiled(np.where(seen[..., None], blended, base), seen)
    blended[above & ~binary_erosion(above, iterations=2)] = _OUTLINE
    buffer = io.BytesIO()
    Image.fromarray(blended.round().astype(np.uint8)).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def veiled(base: Floats, seen: Mask) -> Floats:
    """A photo whose unseen part is grey and pale, with a thin line along the seam.

    Args:
        base: (H, W, 3) float32, 0 to 255. seen: (H, W).

    Returns:
        the same shape; what is seen is as it was.
    """
    grey = base @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    veil = (1 - _VEILED) * grey + _VEILED * _VEIL
    drawn = np.where(seen[..., None], base, veil[..., None])
    grown = seen
    for colour in _EDGE:  # outwards, over what was not seen
        inner, grown = grown, binary_dilation(grown, structure=np.ones((3, 3)))
        drawn[grown & ~inner] = colour
    return np.asarray(drawn, dtype=np.float32)


def _colours(canvas: Floats, low: float, threshold: float) -> tuple[Floats, Floats]:
    """(H, W, 3) colours and (H, W) opacities of a map."""
    span = max(threshold - low, 1e-6)
    below = np.clip((canvas - low) / span, 0, 1)[..., None]
    beyond = np.clip((canvas - threshold) / span, 0, 1)[..., None]
    calm = (1 - below) * _CALM + below * _NEAR
    alarm = (1 - beyond) * _ABOVE + beyond * _FAR
    above = canvas[..., None] > threshold
    colour = np.where(above, alarm, calm).astype(np.float32)
    opacity = np.where(above, 0.45 + 0.2 * beyond, 0.22 * below)[..., 0]
    return colour, opacity.astype(np.float32)

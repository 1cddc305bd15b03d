"""A contact sheet: examples of each defect with their masks' outlines, to look at."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from app.core.files import whole_file
from bench.cartons.dataset import Record, read_records


def contact_sheet(out: Path, file: Path, columns: int = 6, side: int = 220) -> None:
    """Rows of examples, one per category and defect type, with the mask's outline."""
    _, records = read_records(out)
    rows: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.kind != "good":
            rows[record.category, record.kind].append(record)
    sheet = Image.new("RGB", (columns * side, len(rows) * side))
    for row, (category, kind) in enumerate(sorted(rows)):
        chosen = rows[category, kind]
        for column in range(min(columns, len(chosen))):
            record = chosen[column * len(chosen) // columns if len(chosen) > columns else column]
            image = out / category / "test" / kind / f"{record.stem}.png"
            mask = out / category / "ground_truth" / kind / f"{record.stem}_mask.png"
            sheet.paste(_tile(image, mask, side), (column * side, row * side))
        ImageDraw.Draw(sheet).text((4, row * side + 4), f"{category} {kind}", fill=(255, 0, 0))
    with whole_file(file) as partial:
        sheet.save(partial, "PNG")


def _tile(image: Path, mask: Path, side: int) -> Image.Image:
    """A damaged photo with its mask's outline."""
    with Image.open(image) as photo, Image.open(mask) as outline:
        pixels = np.array(photo.convert("RGB").resize((side, side)))
        inside = np.asarray(outline.resize((side, side))) > 127
    pixels[ndimage.binary_dilation(inside, iterations=2) & ~inside] = (255, 0, 255)
    return Image.fromarray(pixels)

"""Small drawn data sets of 'cartons': a blue box with a yellow label, a red blot where damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def photo(
    seed: int, bad: bool = False, w: int = 160, h: int = 160
) -> tuple[Image.Image, Image.Image]:
    """A photo and its mask, the same for the same seed."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(np.clip(rng.normal(150, 6, (h, w, 3)), 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    dx, dy = rng.integers(-3, 4, 2)
    box = (w * 0.25 + dx, h * 0.15 + dy, w * 0.75 + dx, h * 0.85 + dy)
    draw.rectangle(box, fill=(40, 90, 170))
    label = (w * 0.35 + dx, h * 0.3 + dy, w * 0.65 + dx, h * 0.45 + dy)
    draw.rectangle(label, fill=(230, 220, 60))
    mask = Image.new("L", (w, h))
    if bad:
        blot = (w * 0.4 + dx, h * 0.6 + dy, w * 0.6 + dx, h * 0.75 + dy)
        draw.ellipse(blot, fill=(200, 30, 30))
        ImageDraw.Draw(mask).ellipse(blot, fill=255)
    return image, mask


def make(
    root: Path | str,
    cat: str = "carton",
    train: int = 12,
    good: int = 5,
    bad: int = 5,
    defect: str = "dent",
    masks: bool = True,
    ext: str = "png",
    mask_name: str = "{s}_mask.png",
) -> Path:
    """ROOT/<cat>/{train/good, test/good, test/<defect>, ground_truth/<defect>}; ROOT/<cat>."""
    base = Path(root) / cat

    def put(path: Path, image: Image.Image) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)

    for i in range(train):
        put(base / "train/good" / f"{i:03}.{ext}", photo(i)[0])
    for i in range(good):
        put(base / "test/good" / f"{i:03}.{ext}", photo(100 + i)[0])
    for i in range(bad):
        image, mask = photo(200 + i, True)
        put(base / "test" / defect / f"{i:03}.{ext}", image)
        if masks:
            put(base / "ground_truth" / defect / mask_name.format(s=f"{i:03}"), mask)
    return base

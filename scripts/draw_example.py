"""Draw the README's picture: drawn cans, a bank of good ones, and the maps of a good and a bad one.

No photo of any data set may be part of the repository, so the goods are drawings; the bank, the
verdicts and the maps are the real pipeline's.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image, ImageDraw, ImageFilter, ImageFont

sys.path.insert(0, str(Path(__file__).parents[1]))  # this checkout, whatever is installed

from app.cli import console, run
from app.core.building.build import build_bank
from app.core.building.preset import load_preset
from app.core.detector import Detector
from app.core.features.extractor import FeatureExtractor
from app.core.features.runtimes import choose_device
from app.core.judging.calibration import Alpha
from app.core.photo.dataset import read_category
from app.reports.style import DEFECTIVE, GOOD

_SIZE = (360, 480)


def main(
    out: Annotated[Path, typer.Option(help="The picture.")] = Path("docs/example.png"),
) -> None:
    """Build a bank of drawn cans and write the picture."""
    preset = load_preset("embedded-patch")
    extractor = FeatureExtractor.load(preset.features, choose_device(), None)
    with tempfile.TemporaryDirectory() as folder:
        train = Path(folder) / "can" / "train" / "good"
        train.mkdir(parents=True)
        for seed in range(40):
            draw_can(seed).save(train / f"{seed:04}.png")
        category = read_category(Path(folder), "can")
        build = build_bank(category, preset, extractor, threshold=Alpha(alpha=0.05))
    detector = Detector(build.artifact, extractor)
    panels = [_panel(detector, draw_can(seed=100)), _panel(detector, draw_can(101, damaged=True))]
    sheet = Image.new("RGB", (sum(p.width for p in panels) + 24, panels[0].height), "white")
    sheet.paste(panels[0], (0, 0))
    sheet.paste(panels[1], (panels[0].width + 24, 0))
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out, optimize=True)
    console.print(f"written: {out}")


def draw_can(seed: int, *, damaged: bool = False) -> Image.Image:
    """A can on a shelf, slightly moved and lit by the seed; damaged: a dent and a torn label."""
    rng = np.random.default_rng(seed)
    width, height = _SIZE
    dx, dy = rng.integers(-8, 9, 2)
    image = Image.new("RGB", _SIZE, (226, 222, 214))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height - 60, width, height), fill=(150, 128, 104))
    left, top, right, bottom = 90 + dx, 70 + dy, 270 + dx, 430 + dy
    draw.ellipse((left, bottom - 25, right, bottom + 25), fill=(120, 20, 28))
    for x in range(left, right):  # shaded as a cylinder is
        shade = 0.45 + 0.55 * np.sin(np.pi * (x - left + 14) / (right - left + 28))
        draw.line((x, top, x, bottom), fill=tuple(int(c * shade) for c in (205, 32, 44)))
        draw.line((x, top + 150, x, top + 240), fill=tuple(int(c * shade) for c in (245, 240, 230)))
    draw.ellipse((left, top - 25, right, top + 25), fill=(196, 198, 202), outline=(140, 140, 146))
    draw.ellipse((left + 60, top - 8, right - 60, top + 10), fill=(150, 152, 158))
    font = ImageFont.load_default(size=44)
    draw.text((left + 36, top + 168), "COLA", font=font, fill=(170, 24, 34))
    if damaged:
        image = _damage(image, left, top)
    light = rng.normal(0, 3, (height, width, 1)) + rng.uniform(-8, 8)
    noisy = np.clip(np.asarray(image, dtype=np.float32) + light, 0, 255).astype(np.uint8)
    return Image.fromarray(noisy).filter(ImageFilter.GaussianBlur(0.7))


def _damage(image: Image.Image, left: int, top: int) -> Image.Image:
    draw = ImageDraw.Draw(image)
    dent = Image.new("L", image.size, 0)
    ImageDraw.Draw(dent).ellipse((left + 100, top + 255, left + 168, top + 315), fill=150)
    image.paste((52, 6, 10), mask=dent.filter(ImageFilter.GaussianBlur(9)))
    draw.line((left + 104, top + 268, left + 150, top + 262), fill=(235, 130, 136), width=4)
    torn = [(20, 176), (58, 160), (74, 186), (66, 214), (40, 226), (24, 206)]
    draw.polygon([(left + x, top + y) for x, y in torn], fill=(178, 182, 186))
    return image


def _panel(detector: Detector, photo: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    photo.save(buffer, "PNG")
    inspection, overlay = detector.inspect_and_draw(buffer.getvalue())
    assert overlay is not None
    panel = Image.new("RGB", (photo.width * 2 + 8, photo.height + 40), "white")
    panel.paste(photo, (0, 40))
    panel.paste(Image.open(io.BytesIO(overlay)), (photo.width + 8, 40))
    text = (
        f"{inspection.verdict}: score {inspection.score:.2f}, threshold {inspection.threshold:.2f}"
    )
    colour = DEFECTIVE if inspection.is_anomalous else GOOD
    ImageDraw.Draw(panel).text((0, 6), text, font=ImageFont.load_default(size=24), fill=colour)
    return panel


if __name__ == "__main__":
    run(main)

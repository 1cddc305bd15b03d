"""The folder of good photos: <category>/{train,test}/good/*, named for their SKU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from app.core.evaluating.damage.pixels import Photo
from app.core.photo.images import EXTENSIONS
from bench.cartons.errors import CartonsError


def sku_of(path: Path) -> str:
    """The SKU of a photo: the first three digits of its name."""
    return path.stem[:3]


def images_in(folder: Path) -> list[Path]:
    """The folder's images, by name."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in EXTENSIONS)


def read_photo(path: Path) -> Photo:
    """(H, W, 3) uint8."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def categories_in(source: Path) -> list[str]:
    """The folder's categories, by name; raises CartonsError if photos are missing."""
    if not source.is_dir():
        raise CartonsError(f"{source}: no such folder; it should hold <category>/test/good/*")
    found = [p.name for p in sorted(source.iterdir()) if images_in(p / "test" / "good")]
    if not found:
        raise CartonsError(f"{source}: no photos under <category>/test/good")
    for category in found:
        if not images_in(source / category / "train" / "good"):
            raise CartonsError(f"{source / category}: no photos under train/good")
    return found

"""Draws on the photos of a source folder: finds the carton, takes a donor, damages."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from app.core.evaluating.damage.pixels import Photo
from bench.cartons.choices import number
from bench.cartons.defects import Damaged, damage
from bench.cartons.errors import CartonsError
from bench.cartons.finder import ProductFinder
from bench.cartons.product import Product
from bench.cartons.scene import Scene
from bench.cartons.source import images_in, read_photo, sku_of

# Boxes of this data set that are opened by tearing: what looks like a cap there is print.
CAPLESS = {("yoghurt_carton", sku) for sku in ("000", "001", "002")}


class Painter:
    """Draws on the photos of one source folder; finders and donors are made when first needed."""

    def __init__(self, source: Path, seed: int) -> None:
        self._source, self._seed = source, seed
        self._finder = lru_cache(maxsize=None)(self._make_finder)
        self._find = lru_cache(maxsize=64)(self._find_product)

    def _make_finder(self, category: str, sku: str) -> ProductFinder:
        folder = self._source / category / "train" / "good"
        paths = [p for p in images_in(folder) if sku_of(p) == sku] or images_in(folder)
        return ProductFinder([read_photo(p) for p in paths], number(self._seed, sku) % 2**31)

    def _find_product(self, path: Path) -> tuple[Photo, Product]:
        photo = read_photo(path)
        category = path.parents[2].name
        return photo, self._finder(category, sku_of(path)).find(photo)

    def _donor(self, path: Path, rng: np.random.Generator) -> Path:
        """A test photo of another SKU, of the same category where it has one.

        Not a training photo: a memory bank would hold the very pixels of the wrong label.
        """
        folders = [path.parent, *sorted(self._source.glob("*/test/good"))]
        for folder in folders:
            others = [
                p for p in images_in(folder) if folder != path.parent or sku_of(p) != sku_of(path)
            ]
            if others:
                return others[int(rng.integers(len(others)))]
        raise CartonsError(f"{self._source}: wrong_label needs photos of a second SKU")

    def paint(self, path: Path, kind: str) -> Damaged:
        """The photo with a defect drawn on."""
        category = path.parents[2].name
        rng = np.random.default_rng(number(self._seed, category, path.name, kind))
        photo, product = self._find(path)
        donor, donor_product = photo, product
        if kind == "wrong_label":
            donor, donor_product = self._find(self._donor(path, rng))
        capped = (category, sku_of(path)) not in CAPLESS
        scene = Scene(photo.astype(float), product, donor.astype(float), donor_product, capped)
        try:
            return damage(scene, kind, rng)
        except CartonsError as exc:
            raise CartonsError(f"{path}: {exc}") from exc

"""A data set in the PKU-GoodsAD layout from good photos of cartons, with damage drawn on.

Real photos of damaged goods cannot always be had. This package takes real photos of good cartons,
leaves the training photos and half of the test photos as they are, and draws one of five defects
on each of the other test photos, with the mask of the pixels that it changed:

    source ─► choices (which photo gets which defect) ─► painter ─► dataset ─► sheet

where the painter takes each photo through

    finder (where the carton is) ─► scene ─► dents, tears, stains, caps or labels ─► defects (mask)

    python -m bench.cartons --source DIR --out DIR [--seed 0] [--contact-sheet FILE]
"""

from __future__ import annotations

from app.core.evaluating.damage.pixels import Photo, polygon_mask
from bench.cartons.choices import plan
from bench.cartons.dataset import Record, build
from bench.cartons.defects import AREA_BOUNDS, DEFECTS, damage, finish
from bench.cartons.errors import CartonsError
from bench.cartons.product import Product
from bench.cartons.scene import Scene
from bench.cartons.sheet import contact_sheet
from bench.cartons.source import read_photo

__all__ = [
    "AREA_BOUNDS",
    "DEFECTS",
    "CartonsError",
    "Photo",
    "Product",
    "Record",
    "Scene",
    "build",
    "contact_sheet",
    "damage",
    "finish",
    "plan",
    "polygon_mask",
    "read_photo",
]

"""Where damage is drawn in held-out photos: on the goods, where they can be found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..building.prior import Prior
from ..building.reading import read_batches
from ..evaluating.damage.goods import Goods
from ..features.extractor import FeatureExtractor
from ..features.sample import Samples
from ..features.spool import Spool
from ..photo.fingerprint import Fingerprint
from .candidates import varies
from .following import LEAST_FOLLOWS, learn_finder


@dataclass(frozen=True)
class Placed:
    """Attributes:
    goods: of each held-out photo.
    found: whether they are those of that photo; else damage may be anywhere in the frame.
    follows: of the finder; None: it was not asked.
    """

    goods: Sequence[Goods] = field(repr=False)
    found: bool = False
    follows: float | None = None


def find_goods(
    prior: Prior,
    learnt: Sequence[Path],
    held_out: Sequence[Path],
    seen: Samples,
    extractor: FeatureExtractor,
    max_pixels: int,
) -> Placed:
    """Ask whether the goods stand before surroundings that differ, and where in each photo.

    Args:
        prior: of the photos learnt from. seen: the held-out photos' samples, all their cells.
        extractor: of the whole photo.
    """
    everywhere = [Goods.everywhere()] * len(held_out)
    if not varies(prior):
        return Placed(everywhere)
    finder = learn_finder(learnt, held_out, extractor, max_pixels)
    if finder.follows < LEAST_FOLLOWS:
        return Placed(everywhere, follows=finder.follows)
    goods = [finder.goods(sample, prior) for sample in seen]
    return Placed(goods, found=True, follows=finder.follows)


def embed_photos(
    paths: Sequence[Path],
    extractor: FeatureExtractor,
    spool: Spool,
    max_pixels: int,
    progress: Callable[[int, int], None],
) -> tuple[list[Path], list[Fingerprint]]:
    """Fill the spool with all that can be read; which those are. The build tells of the others."""
    read: list[Path] = []
    prints: list[Fingerprint] = []
    for photos, _ in read_batches(paths, extractor, max_pixels=max_pixels):
        batch = extractor.embed([photo.prepared for photo in photos]) if photos else ()
        for photo, features in zip(photos, batch, strict=True):
            spool.append(extractor.sample(features, photo.prepared))
            read.append(photo.path)
            prints.append(photo.fingerprint)
        progress(len(read), len(paths))
    return read, prints

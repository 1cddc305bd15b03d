"""The first pass of a build over the photos: each is read, embedded once and noted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..features.extractor import FeatureExtractor
from ..features.spool import Spool
from ..judging.golden import COUNT
from ..photo.dataset import evenly
from ..photo.preprocess import PreparedImage
from .album import Album
from .augment import TurnedCopies
from .promise import Promise
from .reading import read_batches
from .seen import Seen


def embed(
    paths: list[Path],
    extractor: FeatureExtractor,
    promise: Promise,
    spool: Spool,
    turned: TurnedCopies,
    album: Album,
    *,
    max_pixels: int,
    pictured: bool,
    progress: Callable[[int, int], None],
) -> tuple[Seen, list[PreparedImage]]:
    """Fill the spool with the sample of each photo that is new, `turned` with its copies, and the
    album; keep the few prepared photos that become the golden ones.

    Args:
        pictured: with pictures in the album.

    Raises:
        TooManyUnreadable, CalibrationError, DatasetError, NonFiniteScore.
    """
    seen = Seen(promise)
    golden: list[PreparedImage] = []
    wanted = set(evenly(paths, COUNT))
    for photos, broken in read_batches(paths, extractor, max_pixels=max_pixels, pictured=pictured):
        for photo in photos:
            if photo.path in wanted or not golden:  # the wanted ones may all be broken
                golden.append(photo.prepared)
        if new := seen.add(photos, broken):
            batch = extractor.embed([photo.prepared for photo in new])  # (B, P, D)
            for photo, features in zip(new, batch, strict=True):
                spool.append(extractor.sample(features, photo.prepared))
            turned.add([photo.prepared for photo in new], extractor)
            album.add(new)
        progress(len(seen.paths) + len(promise.unreadable), len(paths))
    return seen, golden

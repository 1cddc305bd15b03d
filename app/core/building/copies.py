"""Which photos of a set are copies of others: saved again, resized, slightly cropped.

A copy tells nothing new. Learnt from, it stands beside the photo that it equals in each fold and
lets it score 0; calibrated on, it counts one observation twice. So one photo of each cluster is
kept, the one of the most pixels, and the others are set aside. Of equal files the one whose name is
shortest is kept: what copies files appends to their names ("a (1).jpg", "a - Copy.jpg").

    equal pixels        ─► one is kept
    alike when small    ─► few candidates for each photo (`Sketches`)
    details agree       ─► a copy, if they agree far more than with the next photos of the set

Each copy is one of the photo that is kept, never of another copy: a row of photos each a little
unlike the one before does not become one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..arrays import Floats, Indices
from ..errors import ImageError
from ..photo.fingerprint import SIDE, Fingerprint
from ..photo.pixel_types import FULL_WHITE
from ..threads import thread_budget
from .likeness import Likeness, likeness
from .reading import read_file
from .sketches import Sketches

# Details of different photos agree below this where the goods are not held in place: 0.83 at most
# on three sets of cartons. Copies: 0.88 and more, as JPEG of quality 80 or cropped by 5 %.
_AGREE = 0.87
# Grey values. Copies: 1.3 at most; things that share their grain (bottles of one mould, cells cut
# from one block): 2.0 and more.
_APART = 1.6
# Aligned goods share details. A copy leaves this part of what the next photos leave unexplained.
_LEFT = 0.5
# The next photos: which of the different ones, by nearness. Far enough that one more copy, not
# recognised, is not among them; near enough to be of the same design.
_NEXT = (3, 7)
_UNKNOWN = 0.9  # what the details of the next photos are taken to share where none is known yet
_CANDIDATES = 2  # by each kind of sketch
# While so few differ, each is a candidate: less a mean of copies, sketches of copies are noise.
_FEW = 4
_BLOCK = 256
_NAMED = 3  # clusters that a remark lists


@dataclass(frozen=True)
class Copies:
    """Of n photos which are kept, and of which photo each other one is a copy.

    Attributes:
        original_of: (n,) int64; a photo that is kept is its own.
    """

    original_of: Indices = field(repr=False)

    @property
    def kept(self) -> list[int]:
        """Ascending."""
        return np.flatnonzero(self.original_of == np.arange(len(self.original_of))).tolist()

    @property
    def set_aside(self) -> int:
        return len(self.original_of) - len(self.kept)

    def sets(self) -> list[list[int]]:
        """For each kept photo, ascending, all that show the same, the kept one first."""
        members: dict[int, list[int]] = {original: [original] for original in self.kept}
        for photo, original in enumerate(self.original_of.tolist()):
            if photo != original:
                members[original].append(photo)
        return list(members.values())

    def clusters(self) -> list[list[int]]:
        """Photos that show the same, two or more each, the kept one first."""
        return [members for members in self.sets() if len(members) > 1]

    def remark(self, names: Sequence[str]) -> str:
        """A sentence on photos of these names; empty where there are no copies."""
        clusters = [" = ".join(names[i] for i in cluster) for cluster in self.clusters()]
        if not clusters:
            return ""
        some = ", ".join(clusters[:_NAMED]) + (", …" if clusters[_NAMED:] else "")
        return (
            f"{self.set_aside} of {len(names)} photos are copies of others and count once: {some}"
        )


def find_copies(
    prints: Sequence[Fingerprint],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    names: Sequence[str] = (),
) -> Copies:
    """Which of the photos are copies. Seconds for 1,000 photos; memory by the photo.

    A copy that was cropped by more than a twentieth or so, turned, mirrored or recoloured is
    another photo here.

    Args:
        names: of the files, without suffix; where given, they decide between equal photos.
    """
    original_of = np.arange(len(prints))
    lengths = [len(name) for name in names] or [0] * len(prints)
    # The most pixels, the least compressed, the shortest name, the first: what copies are made of.
    best_first = sorted(
        range(len(prints)), key=lambda i: (-prints[i].pixels, -prints[i].size, lengths[i], i)
    )
    first_of: dict[bytes, int] = {}
    for photo in best_first:
        original_of[photo] = first_of.setdefault(prints[photo].exact, photo)
    different = [photo for photo in best_first if original_of[photo] == photo]
    found = _alike([prints[photo] for photo in different], progress)
    of_different = dict(zip(different, (different[i] for i in found), strict=True))
    return Copies(np.array([of_different[i] for i in original_of.tolist()], dtype=np.int64))


def _alike(prints: Sequence[Fingerprint], progress: Callable[[int, int], None]) -> list[int]:
    """For each of the photos, best first, the one before it that it is a copy of, or itself."""
    sketches = Sketches.of(prints)
    original_of: list[int] = []
    different: list[int] = []
    for start in range(0, len(prints), _BLOCK):
        rows = range(start, min(start + _BLOCK, len(prints)))
        for photo, alike in zip(rows, sketches.likeness(rows), strict=True):
            candidates = set(different)
            if len(different) > _FEW:
                candidates = {original_of[i] for i in _highest(alike[:, :photo])}
            original = _original(photo, candidates, alike.max(axis=0), different, prints)
            original_of.append(original)
            if original == photo:
                different.append(photo)
        progress(rows.stop, len(prints))
    return original_of


def _highest(alike: Floats) -> list[int]:
    """The photos whose sketches are most alike, by each kind. `alike` is (kinds, n)."""
    best = np.argsort(-alike, axis=1, kind="stable")[:, :_CANDIDATES]
    return [int(i) for row, found in zip(alike, best, strict=True) for i in found if row[i] > 0]


def _original(
    photo: int,
    candidates: set[int],
    alike: Floats,
    different: Sequence[int],
    prints: Sequence[Fingerprint],
) -> int:
    found = {other: _compare(prints, photo, other) for other in candidates}
    agreed = {other: like.detail for other, like in found.items() if like.apart <= _APART}
    best = max(agreed, key=lambda other: agreed[other], default=photo)
    if best == photo or agreed[best] < _AGREE:
        return photo
    others = _next(best, alike, different)
    shared = max((_compare(prints, photo, other).detail for other in others), default=_UNKNOWN)
    return best if 1 - agreed[best] <= _LEFT * (1 - shared) else photo


def _next(best: int, alike: Floats, different: Sequence[int]) -> list[int]:
    """Photos that are near and known to differ from the candidate."""
    others = np.array([i for i in different if i != best], dtype=np.int64)
    nearest = others[np.argsort(-alike[others], kind="stable")].tolist()
    return list({nearest[min(rank, len(nearest) - 1)] for rank in _NEXT}) if nearest else []


def _compare(prints: Sequence[Fingerprint], one: int, other: int) -> Likeness:
    first, second = (prints[i].grey.astype(np.float32) for i in (one, other))
    return likeness(first, second)


def copies_of_files(paths: Sequence[Path], white_level: int = FULL_WHITE) -> tuple[int, str]:
    """How many are set aside, and `Copies.remark`, of photos that are only looked at; files that
    cannot be read are left out."""
    read, copies = copies_among(paths, white_level)
    return copies.set_aside, copies.remark([path.name for path in read])


def copies_among(paths: Sequence[Path], white_level: int = FULL_WHITE) -> tuple[list[Path], Copies]:
    """The files that can be read, and which of these are copies."""

    def read(path: Path) -> Fingerprint | None:
        try:
            data, image = read_file(path, at_least=(2 * SIDE, 2 * SIDE), white_level=white_level)
        except ImageError:
            return None
        return Fingerprint.of(data, image)

    with ThreadPoolExecutor(thread_budget()) as pool:
        found = [(path, one) for path, one in zip(paths, pool.map(read, paths), strict=True) if one]
    files = [path for path, _ in found]
    return files, find_copies([one for _, one in found], names=[path.stem for path in files])

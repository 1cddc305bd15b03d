"""A category's folder -> its photos with their labels, and what was made of the folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..files import shown
from .labels import GOOD, LabelledImage, means_good, sounds_defective, sounds_good
from .listing import Listing, few, folders, photos_below, photos_in, told
from .mask_files import MaskFiles

_PARTS = ("train", "test", "groundtruth")


@dataclass
class Layout:
    """A category's photos, and what is told of how its folder was read.

    Attributes:
        left_out: kind of file -> how many.
    """

    train: list[Path] = field(default_factory=list)
    test: list[LabelledImage] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def take(self, found: Listing, place: str) -> list[Path]:
        """The photos that were found; all else is noted."""
        self.left_out += found.left_out
        for folder in found.skipped:
            self.remarks.append(
                f"{place}: the photos in its folder {shown(folder.name)} are not read: "
                "its name contradicts that they are of this kind"
            )
        if found.below:
            self.remarks.append(f"{place}: {found.below} photos lie in folders below it, and count")
        return found.photos


def read_layout(folder: Path) -> Layout:
    """Read a category's folders; what is missing is empty.

    Raises:
        OSError: a folder cannot be read.
    """
    layout = Layout()
    parts = _parts(folder, layout)
    layout.train = _train(parts["train"], layout)
    layout.test = _test(parts["test"], parts["groundtruth"], layout)
    if text := told(layout.left_out):
        layout.remarks.append(text)
    return layout


def _parts(folder: Path, layout: Layout) -> dict[str, list[Path]]:
    """The folders of a category by what they are for; their names may be written in any way."""
    found: dict[str, list[Path]] = {part: [] for part in _PARTS}
    others = []
    for inner in folders(folder):
        part = re.sub(r"[^a-z]", "", inner.name.casefold())
        if part in found:
            found[part].append(inner)
        else:
            others.append(shown(inner.name))
    if others:
        layout.remarks.append(f"folders that are not read: {few(others)}")
    return found


def _train(tops: Iterable[Path], layout: Layout) -> list[Path]:
    """The good photos: of the folders that mean so, else those directly in `train`."""
    train: list[Path] = []
    for top in tops:
        inner = folders(top)
        good = [f for f in inner if means_good(f.name)]
        photos = [p for f in good for p in _of_good(f, layout)]
        direct = photos_in(top)
        layout.left_out += direct.left_out
        dated = [] if photos else [f for f in inner if not re.search(r"[^\W\d_]", f.name)]
        if photos and direct.photos:
            layout.left_out["photos beside train/good"] += len(direct.photos)
        elif not photos:
            photos = [*direct.photos, *(p for f in dated for p in _of_good(f, layout))]
            if photos:
                layout.remarks.append(f"{shown(top.name)} has no folder good: its photos are read")
        if others := [shown(f.name) for f in inner if f not in good and f not in dated]:
            layout.remarks.append(
                f"{shown(top.name)}: {few(others)} not read: what is learnt from lies in good alone"
            )
        train += photos
    return train


def _of_good(folder: Path, layout: Layout) -> list[Path]:
    top = shown(folder.parent.name)
    place = f"{top}/{shown(folder.name)}"
    if means_good(folder.name) and folder.name != GOOD:
        layout.remarks.append(f"{place} is read as {top}/{GOOD}")
    return layout.take(photos_below(folder, sounds_defective), place)


def _test(tops: Iterable[Path], masks: Sequence[Path], layout: Layout) -> list[LabelledImage]:
    """The labelled photos by type, good ones of all folders that mean so together."""
    by_type: dict[str, list[Path]] = {}
    for top in tops:
        direct = photos_in(top)
        layout.left_out += direct.left_out
        if direct.photos:
            layout.left_out[f"photos directly in {shown(top.name)}"] += len(direct.photos)
        for inner in folders(top):
            by_type.setdefault(GOOD if means_good(inner.name) else inner.name, []).append(inner)
    test: list[LabelledImage] = []
    for kind, bases in sorted(by_type.items()):
        photos: list[Path] = []
        for base in bases:
            photos += _of_good(base, layout) if kind == GOOD else _of_type(base, layout)
        test += _labelled(kind, bases, photos, masks, layout)
    _check_types(by_type, masks, layout)
    return test


def _of_type(base: Path, layout: Layout) -> list[Path]:
    place = f"{shown(base.parent.name)}/{shown(base.name)}"
    if sounds_good(base.name):
        layout.remarks.append(
            f"{place} counts as defective, though its name says good: rename it to good if it is"
        )
    return layout.take(photos_below(base, _says_good), place)


def _says_good(name: str) -> bool:
    return means_good(name) or sounds_good(name)


def _labelled(
    kind: str, bases: Sequence[Path], photos: Sequence[Path], masks: Sequence[Path], layout: Layout
) -> list[LabelledImage]:
    names = {base.name.casefold() for base in bases}
    roots = [f for top in masks for f in folders(top) if f.name.casefold() in names]
    files = MaskFiles(roots, photos, bases)
    found = [LabelledImage(path, shown(kind), files.of(path)) for path in photos]
    if text := files.unused():
        layout.remarks.append(f"{shown(kind)}: {text}")
    return found


def _check_types(
    types: Mapping[str, Sequence[Path]], masks: Sequence[Path], layout: Layout
) -> None:
    known = {base.name.casefold() for bases in types.values() for base in bases} | {GOOD}
    alone = [f for top in masks for f in folders(top) if f.name.casefold() not in known]
    if alone:
        layout.remarks.append(f"masks of no defect type: {few(shown(f.name) for f in alone)}")

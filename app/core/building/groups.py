"""Which photos belong together, so that calibration leaves them out together.

The promised rate of false alarms holds for photos to come that are to the bank what a photo left
out was to the others. So what is left out together says what is promised:

    a visit   new visits to the goods seen here; the rule where visits are found (`visits.py`)
    a SKU     goods never seen; on those seen here alarms are rarer than promised
    a photo   photos as these, taken one by one; of visits, alarms are more frequent than promised

`auto` takes the visit where likeness proves visits, and so many that they carry the rate: tomorrow
brings new visits, mostly to goods that the bank knows. Of 16 visits one in a hundred cannot be
known; the threshold would be the oddest visit's, and what it promises would hang on that one.

Else, where the names show SKUs, the SKU stays: that photos of a SKU were taken one by one cannot be
proven, two or three long visits to each look the same, and to leave out too much keeps the promise,
while too little breaks it. Whoever knows better says so by `--groups none`. Without SKUs each photo
stands alone, and the build says so where there are visits.

Photos' visits and SKUs are known from the file that the user gives, or shown by numbers, times and
likeness together; never by the look of a name alone. A photo that was there several times has
several names: any of them may tell its group.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from ..arrays import Doubles
from ..errors import DatasetError
from ..features.sample import Samples
from .evidence import look_alike, vectors_of
from .groups_file import GroupsFile
from .numbering import Numbering, read_numbering
from .taken import orders
from .visits import Visits, find_visits

GroupRule = Literal["auto", "visit", "sku", "none"] | GroupsFile

_SIX_DIGITS = re.compile(r"[0-9]{6}")


def group_rule(text: str) -> GroupRule:
    """What the user wrote for --groups.

    Raises:
        DatasetError: a file that cannot be read or makes no sense.
    """
    if text in ("auto", "visit", "sku", "none"):
        return cast("GroupRule", text)
    return GroupsFile.read(Path(text))


@dataclass(frozen=True)
class Grouping:
    """A group's name for each photo, and how that was decided.

    Attributes:
        by: `visit`, `sku`, `file`, or `none`: each photo is a group of its own.
        why: half a sentence for whoever builds.
        of_skus: whether the photos' SKUs are known.
    """

    names: tuple[str, ...]
    by: Literal["visit", "sku", "file", "none"]
    why: str
    of_skus: bool = False

    @property
    def count(self) -> int:
        return len(set(self.names))

    @property
    def sentence(self) -> str:
        what = {
            "visit": " by visit",
            "sku": " by SKU, a name's first three digits",
            "file": " by file",
            "none": "",
        }
        return f"{self.count} groups of {len(self.names)} photos{what[self.by]}: {self.why}"

    @property
    def promised_for(self) -> str:
        """Which photos to come the rate of false alarms is promised for."""
        here = "the SKUs seen here" if self.of_skus else "the goods seen here"
        return {
            "visit": f"new photos of {here}, of visits to come",
            "sku": "new photos of SKUs never seen; of the SKUs seen here, fewer",
            "file": "new photos of groups never seen",
            "none": f"new photos of {here}, taken one by one as these were",
        }[self.by]


def group(
    paths: Sequence[Path],
    rule: GroupRule,
    samples: Samples | None = None,
    *,
    shown_by: Sequence[Sequence[Path]] = (),
    rate: float = 1.0,
) -> Grouping:
    """Group photos by a rule; `auto` decides by what names, and in doubt features, show.

    Args:
        samples: the photos' features; without them a doubt means no groups, and no visit is found.
        shown_by: for each photo all files that show it, itself first; itself alone by default.
        rate: of false alarms that is promised; `auto` takes visits where they are enough for it.

    Raises:
        DatasetError: the rule does not fit the photos.
    """
    files = shown_by or [[path] for path in paths]
    if isinstance(rule, GroupsFile):
        names, why = rule.groups_of(files)
        return Grouping(tuple(names), "file", why)
    if rule == "none":
        known = skus([numbered(names) for names in files]) is not None
        return _alone(paths, "asked for by --groups none", of_skus=known)
    if rule == "sku":
        named = [numbered(names) for names in files]
        return Grouping(tuple(_forced_skus(named)), "sku", "asked for by --groups sku", True)
    return _by_evidence(paths, files, samples, 1.0 if rule == "visit" else rate, rule)


def numbered(files: Sequence[Path]) -> Path:
    """Of the files that show one photo the first that is named by six digits, or else the first."""
    return next((path for path in files if _SIX_DIGITS.fullmatch(path.stem)), files[0])


def prefixes(paths: Iterable[Path]) -> list[str] | None:
    """The first three digits of names that are six digits, all of them, of two prefixes or more:
    SKUs, perhaps; None otherwise."""
    stems = [path.stem for path in paths]
    if not all(_SIX_DIGITS.fullmatch(stem) for stem in stems):
        return None
    found = [stem[:3] for stem in stems]
    return found if len(set(found)) > 1 else None


def skus(paths: Sequence[Path]) -> list[str] | None:
    """The photos' SKUs where their names alone show them; None otherwise."""
    found = prefixes(paths)
    shown = found and read_numbering([int(path.stem) for path in paths]) is Numbering.SKU
    return found if shown else None


def _by_evidence(
    paths: Sequence[Path],
    files: Sequence[Sequence[Path]],
    samples: Samples | None,
    rate: float,
    rule: Literal["auto", "visit"],
) -> Grouping:
    named = [numbered(names) for names in files]
    vectors = None if samples is None else vectors_of(samples)
    found, why = _shown_skus(named, vectors)
    if vectors is not None:
        told = [[name, *names] for name, names in zip(named, files, strict=True)]
        visits = find_visits(vectors, orders(told, found or [""] * len(paths)), found)
        if visits is not None and visits.count > 1:
            needed = math.ceil(1 / rate - 1 - 1e-9)
            if visits.count >= needed:
                return _by_visit(visits, found)
            why = (
                f"{visits.count} visits are told by {visits.by}, and a rate of {rate:.2g} for "
                f"visits to come needs {needed}; --groups visit leaves them out all the same"
            )
            if found is not None:
                return Grouping(tuple(found), "sku", why, True)
            return _alone(paths, why)
        if visits is not None:
            why = "most look like one recording, of which no visits can be told apart"
    if rule == "visit":
        raise DatasetError(
            f"--groups visit: no visits are proven: {why}. Give --groups FILE, a CSV of file name "
            "and group."
        )
    if found is not None:
        return Grouping(tuple(found), "sku", f"{why}, and no visits were proven", True)
    return _alone(paths, why)


def _shown_skus(named: Sequence[Path], vectors: Doubles | None) -> tuple[list[str] | None, str]:
    """The photos' SKUs, where names show them or, in doubt, likeness does; and half a sentence."""
    found = prefixes(named)
    if found is None:
        return None, f"the names show none{_folders(named)}"
    numbering = read_numbering([int(path.stem) for path in named])
    of = f"of {len(set(found))} prefixes of three digits the {numbering.value}"
    if numbering is Numbering.SKU:
        return found, of
    if numbering is Numbering.RUNNING:
        return None, f"{of}, as of frames of a film"
    if vectors is not None and look_alike(vectors, found):
        return found, f"{of}, but photos of one look alike"
    return None, f"{of}, nor do photos of one look alike; --groups sku takes them"


def _by_visit(visits: Visits, skus: Sequence[str] | None) -> Grouping:
    of = "" if skus is None else f", of {len(set(skus))} SKUs"
    names = tuple(f"visit {visit + 1}" for visit in visits.of.tolist())
    return Grouping(names, "visit", f"told by {visits.by}{of}", skus is not None)


def _forced_skus(paths: Sequence[Path]) -> list[str]:
    other = [path.name for path in paths if not _SIX_DIGITS.fullmatch(path.stem)]
    if other:
        some = ", ".join(other[:3]) + (", …" if other[3:] else "")
        raise DatasetError(
            f"--groups sku: {len(other)} of {len(paths)} photos are not named by six digits, the "
            f"first three the SKU: {some}. Give --groups FILE, a CSV of file name and group."
        )
    return [path.stem[:3] for path in paths]


def _folders(paths: Sequence[Path]) -> str:
    """A remark where photos lie in several folders, which may be visits, or nothing."""
    folders = sorted({path.parent.name for path in paths})
    if len(folders) < 2:
        return ""
    some = ", ".join(folders[:3]) + (", …" if folders[3:] else "")
    return (
        f"; they lie in {len(folders)} folders ({some}): if those are visits or SKUs, tell by "
        "--groups FILE"
    )


def _alone(paths: Sequence[Path], why: str, *, of_skus: bool = False) -> Grouping:
    # By path, since two folders may hold one name; without the folders that all share.
    return Grouping(tuple(path.as_posix() for path in paths), "none", why, of_skus)

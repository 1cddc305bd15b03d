"""Which photos belong together, so that calibration leaves them out together.

Photos of one SKU, one visit or one crate are more alike than photos to come will be. Where that is
known, each group is scored by what learnt without it. It is known from the file that the user
gives, or from names whose numbers show it; never from the look of a name alone. A photo that was
there several times has several names: any of them may tell its group.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np

from ..arrays import Floats
from ..errors import DatasetError
from ..features.sample import Samples
from .groups_file import GroupsFile
from .numbering import Numbering, read_numbering

GroupRule = Literal["auto", "sku", "none"] | GroupsFile

_SIX_DIGITS = re.compile(r"[0-9]{6}")
_TRIALS, _CHANCE = 999, 0.01
_COMPARED = 2_000  # photos, evenly taken, whose nearest ones are looked for


def group_rule(text: str) -> GroupRule:
    """What the user wrote for --groups.

    Raises:
        DatasetError: a file that cannot be read or makes no sense.
    """
    if text in ("auto", "sku", "none"):
        return cast("GroupRule", text)
    return GroupsFile.read(Path(text))


@dataclass(frozen=True)
class Grouping:
    """A group's name for each photo, and how that was decided.

    Attributes:
        by: `sku`, `file`, or `none`: each photo is a group of its own.
        why: half a sentence for whoever builds.
    """

    names: tuple[str, ...]
    by: Literal["sku", "file", "none"]
    why: str

    @property
    def count(self) -> int:
        return len(set(self.names))

    @property
    def sentence(self) -> str:
        what = {"sku": " by SKU, a name's first three digits", "file": " by file", "none": ""}
        return f"{self.count} groups of {len(self.names)} photos{what[self.by]}: {self.why}"


def group(
    paths: Sequence[Path],
    rule: GroupRule,
    samples: Samples | None = None,
    *,
    shown_by: Sequence[Sequence[Path]] = (),
) -> Grouping:
    """Group photos by a rule; `auto` decides by what names, and in doubt features, show.

    Args:
        samples: the photos' features; without them a doubt means no groups.
        shown_by: for each photo all files that show it, itself first; itself alone by default.

    Raises:
        DatasetError: the rule does not fit the photos.
    """
    files = shown_by or [[path] for path in paths]
    if isinstance(rule, GroupsFile):
        names, why = rule.groups_of(files)
        return Grouping(tuple(names), "file", why)
    if rule == "none":
        return _alone(paths, "asked for by --groups none")
    if rule == "sku":
        named = [numbered(names) for names in files]
        return Grouping(tuple(_forced_skus(named)), "sku", "asked for by --groups sku")
    return _by_evidence(paths, [numbered(names) for names in files], samples)


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


def _by_evidence(paths: Sequence[Path], named: Sequence[Path], samples: Samples | None) -> Grouping:
    found = prefixes(named)
    if found is None:
        return _alone(paths, f"the names show none{_folders(paths)}")
    numbering = read_numbering([int(path.stem) for path in named])
    of = f"{len(set(found))} prefixes of three digits"
    if numbering is Numbering.SKU:
        return Grouping(tuple(found), "sku", f"of {of} the {numbering.value}")
    if numbering is Numbering.RUNNING:
        return _alone(paths, f"of {of} the {numbering.value}, as of frames of a film")
    if samples is not None and look_alike(samples, found):
        why = f"of {of} the {numbering.value}, but photos of one look alike"
        return Grouping(tuple(found), "sku", why)
    why = f"of {of} the {numbering.value}, nor do photos of one look alike; --groups sku takes them"
    return _alone(paths, why)


def look_alike(samples: Samples, labels: Sequence[str]) -> bool:
    """Whether photos of one label lie nearer to each other than chance would have it: how often a
    photo's nearest one has its label, against labels that are dealt anew (permutation test)."""
    chosen = range(0, len(labels), max(1, -(-len(labels) // _COMPARED)))
    _, label_of = np.unique([labels[i] for i in chosen], return_inverse=True)
    if len(label_of) < 3:  # of two photos each is the other's nearest
        return False
    nearest = _nearest(np.stack([samples[i].patches.mean(axis=0) for i in chosen]))
    seen = (label_of[nearest] == label_of).mean()
    draw = np.random.default_rng(0)
    dealt = [draw.permutation(label_of) for _ in range(_TRIALS)]
    as_good = sum((d[nearest] == d).mean() >= seen for d in dealt)
    return bool((1 + as_good) / (1 + _TRIALS) <= _CHANCE)


def _nearest(vectors: Floats) -> np.ndarray:
    """(n,) the index of each vector's nearest other one."""
    squares = np.square(vectors).sum(axis=1)
    apart = squares[:, None] + squares[None, :] - 2 * (vectors @ vectors.T)
    np.fill_diagonal(apart, np.inf)
    return np.asarray(apart.argmin(axis=1))


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


def _alone(paths: Sequence[Path], why: str) -> Grouping:
    # By path, since two folders may hold one name; without the folders that all share.
    return Grouping(tuple(path.as_posix() for path in paths), "none", why)

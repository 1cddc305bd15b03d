"""What lies in a data folder, seen before a bank is built from it: its photos, what is wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.building import levels
from ..core.building.copies import copies_of_files
from ..core.building.groups import numbered, skus
from ..core.evaluating.metrics import auroc
from ..core.evaluating.pixels import MUCH
from ..core.files import write_whole
from ..core.judging.calibration import alpha_to_ask_for
from ..core.photo.dataset import GOOD, Category, LabelledImage, evenly, read_as
from ..core.photo.listing import few
from ..core.photo.pixel_types import FULL_WHITE
from .exploration_look import BankLook
from .markdown import cell, code, sentence
from .seen_photo import SeenPhoto, look

SAMPLE = 300  # photos per group that the pixel statistics are taken from
ENOUGH_GOOD = 99  # the largest of 99 scores is passed by the next good photo in 1 % of cases
GROUPS = ("train good", "test good", "defective")

_SHORTCUT = 0.75  # an AUROC of plain brightness or contrast that deserves a word
_LEVELS = ("brightness", "contrast")
_SIZES = ("size: smallest", "median", "largest")
_COLUMNS = ("folder", "files", "masks", *_SIZES, "formats", *_LEVELS, "masked")
_MASKED = "Masked: the marked share of a photo, median (smallest to largest)."
_FEW = 20  # below so many photos of a label their statistics say nothing


@dataclass(frozen=True)
class Exploration:
    """All photos of one category: train first, then test by type and name.

    Attributes:
        folder: that of the category, as it can be shown.
        remarks: how it was read.
        n_copies: training photos that show what another shows; `copies` is a sentence on them.
        bank: what is looked at, where a bank is stored.
    """

    category: str
    photos: tuple[SeenPhoto, ...]
    ignored: int
    copies: str = ""
    n_copies: int = 0
    folder: str = ""
    remarks: tuple[str, ...] = ()
    white_level: int = FULL_WHITE  # of 16-bit photos
    bank: BankLook | None = None

    @property
    def title(self) -> str:
        """The category, and its folder where that is named otherwise."""
        return read_as(self.category, self.folder)

    def places(self) -> dict[str, list[SeenPhoto]]:
        """Photos by folder, in order: train/good, test/good, then the defect types."""
        found: dict[str, list[SeenPhoto]] = {"train/good": [], "test/good": []}
        for photo in self.photos:
            found.setdefault(photo.place, []).append(photo)
        return found

    def measured(self, group: str) -> list[SeenPhoto]:
        """The group's photos that the pixel statistics are taken from."""
        return [p for p in self.photos if p.group == group and p.thumbnail is not None]

    @property
    def counting(self) -> int:
        """Training photos that a promise is made of: readable, and no copies of others."""
        return sum(p.split == "train" and p.size is not None for p in self.photos) - self.n_copies

    def unreadable(self) -> list[SeenPhoto]:
        return [p for p in self.photos if p.size is None]

    def duplicates(self) -> list[list[SeenPhoto]]:
        """Photos whose files are equal byte by byte, two or more each."""
        same: dict[str, list[SeenPhoto]] = defaultdict(list)
        for photo in (p for p in self.photos if p.sha256):
            same[photo.sha256].append(photo)
        return [photos for photos in same.values() if len(photos) > 1]

    def leaks(self) -> list[list[SeenPhoto]]:
        """Duplicates that lie in both train and test."""
        return [photos for photos in self.duplicates() if len({p.split for p in photos}) > 1]

    def skus(self) -> dict[str, set[str]]:
        """Split -> its SKUs; empty where the names carry none."""
        same: dict[str, list[Path]] = defaultdict(list)
        for p in self.photos:
            same[p.sha256].append(p.image.path)
        # A photo that is there twice has two names: either may be the numbered one.
        files = [[p.image.path, *(same[p.sha256] if p.sha256 else [])] for p in self.photos]
        names = skus([numbered(each) for each in files])
        if names is None:
            return {}
        pairs = {(p.split, name) for p, name in zip(self.photos, names, strict=True)}
        return {s: {name for split, name in pairs if split == s} for s in ("train", "test")}


def explore(category: Category, progress: Callable[[], object] = lambda: None) -> Exploration:
    """Read every file of a category, and measure the pixels of an even sample of each group.

    All files are decoded: one cut short shows in no other way. `progress` is called after each.
    """
    good = [image for image in category.test if not image.is_defective]
    defective = [image for image in category.test if image.is_defective]
    train = [LabelledImage(path, GOOD) for path in category.train]
    photos: list[SeenPhoto] = []
    white = levels.measure(category.train).white
    for images, split in ((train, "train"), (good, "test"), (defective, "test")):
        sample = set(evenly(range(len(images)), SAMPLE))
        for index, image in enumerate(images):
            photos.append(look(image, split, white, measure=index in sample))
            progress()
    n_copies, copies = copies_of_files(category.train, white)
    return Exploration(
        category.name,
        tuple(photos),
        category.ignored,
        copies=copies,
        n_copies=n_copies,
        folder=category.folder,
        remarks=category.remarks,
        white_level=white,
    )


def warnings(found: Exploration) -> Iterator[str]:
    """What a person should know, or put right, before building a bank."""
    yield from found.remarks
    photos = found.photos
    n = Counter(p.group for p in photos if p.size)
    if found.counting < ENOUGH_GOOD:
        yield _too_few(found)
    for group in GROUPS[1:]:
        if not n[group]:
            yield f"no readable {group.split()[-1]} test images: nothing can be evaluated"
    if broken := len(found.unreadable()):
        yield f"{broken} of {len(photos)} files cannot be read"
    if found.white_level < FULL_WHITE:
        bits = found.white_level.bit_length()
        yield (
            f"16-bit photos of train/good hold {bits}-bit values: {found.white_level:,} is taken "
            "as white, and photos that use more bits are not judged"
        )
    if found.copies:
        yield f"train/good: {found.copies}"
    if leaks := len(found.leaks()):
        yield f"a leak: {leaks} files lie in both train and test, whose figures it flatters"
    if clashes := sum(len({p.image.is_defective for p in d}) > 1 for d in found.duplicates()):
        yield f"{clashes} files are labelled both good and defective"
    sides = [max(p.size) for p in photos if p.size]
    shapes = [p.size[0] / p.size[1] for p in photos if p.size]
    if sides and (max(sides) > 2 * min(sides) or max(shapes) > 1.5 * min(shapes)):
        yield "very different sizes: what is small or of another shape will look unlike the rest"
    kinds = {p.kind for p in photos if p.split == "train" and p.size}
    if kinds and (more := {p.kind for p in photos if p.size} - kinds):
        yield f"the test split has formats that train/good has not: {', '.join(sorted(more))}"
    skus = found.skus()
    if skus and (new := sorted(skus["test"] - skus["train"])):
        yield f"{len(new)} SKUs of the test split are not in train/good: {', '.join(new)}"
    bare = sum(p.image.is_defective and p.image.mask is None for p in photos)
    if bare and any(p.image.mask for p in photos):
        yield f"{bare} defective images have no mask: pixel metrics will be left out"
    if faults := sum(bool(p.mask_fault) for p in photos):
        yield f"{faults} masks cannot be used as they are"
    if large := [p.name for p in photos if p.masked is not None and p.masked > MUCH]:
        text = f"{len(large)} masks mark more than half of their photo: are they inverted?"
        yield f"{text} {few(large)}"
    for what, area in _shortcuts(found).items():
        if max(area, 1 - area) >= _SHORTCUT:
            sign, area = ("lower", 1 - area) if area < 0.5 else ("higher", area)
            tells = f"{sign} {what} alone tells defective from good (AUROC {area:.2f})"
            yield f"{tells}: see that this is the damage and not how the photos were taken"


def _too_few(found: Exploration) -> str:
    """How many training photos count, and which false-alarm rate they carry."""
    files = [p for p in found.photos if p.split == "train"]
    broken = sum(p.size is None for p in files)
    lost = [f"{n} {what}" for n, what in ((found.n_copies, "copies"), (broken, "unreadable")) if n]
    n = found.counting
    count = f"{n} of {len(files)} good images count ({', '.join(lost)})" if lost else ""
    carried = f"--alpha {alpha_to_ask_for(n):g} at least" if n > 1 else "a bank needs 2"
    return f"{count or f'{n} good images'}: {carried}; 1 % false alarms need {ENOUGH_GOOD}"


def train_good(found: Exploration) -> str:
    """For tables: files in train/good, and how many of them count."""
    files = sum(p.split == "train" for p in found.photos)
    return str(files) if found.counting == files else f"{files} ({found.counting} count)"


def _shortcuts(found: Exploration) -> dict[str, float]:
    """AUROC of brightness and of contrast as the score, where there are photos enough."""
    good, bad = found.measured("test good"), found.measured("defective")
    if min(len(good), len(bad)) < _FEW:
        return {}
    return {
        what: auroc(*(np.array([getattr(p, what) for p in photos]) for photos in (good, bad)))
        for what in _LEVELS
    }


def write_page(folder: Path, explorations: Sequence[Exploration]) -> Path:
    """Write `explore.md`: a table over all categories, then each one's findings and pictures."""
    lines = ["# Data set", "", *_overview(explorations), ""]
    for found in explorations:
        lines += [f"## {found.category}", "", *_section(found), ""]
    path = folder / "explore.md"
    write_whole(path, "\n".join(lines))
    return path


def _overview(explorations: Sequence[Exploration]) -> list[str]:
    rows = []
    for e in explorations:
        n, skus = Counter(p.group for p in e.photos), e.skus()
        sets = (*skus.values(), set.intersection(*skus.values())) if skus else ()
        names = " / ".join(str(len(s)) for s in sets) or "–"
        trouble = (len(e.unreadable()), e.ignored, e.n_copies, len(e.duplicates()), len(e.leaks()))
        counts = (train_good(e), *(str(n[g]) for g in GROUPS[1:]))
        rows.append([cell(e.title), *counts, names, *map(str, trouble)])
    more = (
        "unreadable",
        "ignored files",
        "copies in train",
        "duplicate files",
        "in both train and test",
    )
    return _table(("category", *GROUPS, "SKUs train / test / both", *more), rows)


def _section(found: Exploration) -> list[str]:
    lines = [f"- **{sentence(text)}**" for text in warnings(found)] or ["Nothing to warn of."]
    lines += ["", *_table(_COLUMNS, [_row(*place) for place in found.places().items()]), ""]
    n = [f"{len(found.measured(group))} of {group}" for group in GROUPS]
    lines += [f"Brightness and contrast: medians, grey 0 to 255, over {', '.join(n)}.", _MASKED, ""]
    for what, area in _shortcuts(found).items():
        lines.append(f"- {what} alone as the score: AUROC {area:.3f} on the test split")
    lines += [f"- unreadable: {code(p.name)}: {p.fault}" for p in found.unreadable()]
    lines += [f"- mask of {code(p.name)}: {p.mask_fault}" for p in found.photos if p.mask_fault]
    for photos in found.duplicates():
        leak = "train and test share " if photos in found.leaks() else ""
        lines.append(f"- {leak}the same file: {', '.join(code(p.name) for p in photos)}")
    kinds = ["explore", "stats"]
    if found.bank is not None:
        lines.append(f"- what is judged, by {sentence(found.bank.sentence)}")
        kinds.append("look")
    names = (f"{found.category}_{kind}" for kind in kinds)
    return [*lines, *(f"\n![{name}]({name}.png)" for name in names)]


def _row(place: str, photos: Sequence[SeenPhoto]) -> list[str]:
    """One folder's line of the table; a dash where there is nothing to say."""
    sizes = ["{} × {}".format(*size) for size in by_area(photos)] or ["–"]
    seen = [p for p in photos if p.thumbnail is not None]
    levels = [f"{np.median([getattr(p, w) for p in seen]):.0f}" if seen else "–" for w in _LEVELS]
    areas = [p.masked for p in photos if p.masked is not None]
    masked = f"{np.median(areas):.2%} ({min(areas):.2%} to {max(areas):.2%})" if areas else "–"
    kinds = Counter(p.kind for p in photos if p.kind).most_common()
    formats = ", ".join(f"{kind} ({n})" for kind, n in kinds) or "–"
    counts = [str(len(photos)), str(sum(p.image.mask is not None for p in photos))]
    return [
        cell(place),
        *counts,
        sizes[0],
        sizes[len(sizes) // 2],
        sizes[-1],
        formats,
        *levels,
        masked,
    ]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(line) + " |" for line in (columns, ["---"] * len(columns), *rows)]


def by_area(photos: Sequence[SeenPhoto]) -> list[tuple[int, int]]:
    """Sizes of the readable photos, smallest area first."""
    return sorted((p.size for p in photos if p.size), key=lambda size: (size[0] * size[1], size))

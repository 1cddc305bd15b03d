"""Outcomes by hand, for tests of comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.core.evaluating.evaluation import ScoredImage, summarise
from app.core.evaluating.on_drawn import DrawnDamage
from app.core.evaluating.outcome import BankFacts, Outcome
from app.core.photo.dataset import GOOD, Category, LabelledImage
from tests.support import make_artifact

THRESHOLD = 0.5
BANK = BankFacts(
    version="20260101T000000Z-000000", engine="torch float32", images=10, bytes=2_345_678,
    build_s=12.3, taken=False, threshold=THRESHOLD, alpha=0.01,
)  # fmt: skip


def photo(name: str, defect_type: str = GOOD) -> LabelledImage:
    return LabelledImage(Path(defect_type) / name, defect_type)


def split(n_good: int, n_defective: int, name: str = "can", kind: str = "dent") -> Category:
    good = [photo(f"{i:03}.png") for i in range(n_good)]
    bad = [photo(f"{i:03}.png", kind) for i in range(n_defective)]
    return Category(name, (Path("000.png"),), (*bad, *good), 0)


def outcome(preset: str, category: Category, scores: Mapping[bool, Sequence[float]]) -> Outcome:
    """A preset's scores: of good photos under False, of defective ones under True."""
    left = {label: iter(those) for label, those in scores.items()}
    scored = tuple(ScoredImage(i, next(left[i.is_defective])) for i in category.test)
    evaluation = None
    if {i.is_defective for i in category.test} == {False, True}:
        manifest = make_artifact(category.name, threshold=THRESHOLD).manifest
        manifest = manifest.model_copy(update={"preset": preset})
        evaluation = summarise(scored, manifest, n_unreadable=0, seconds=1.0)
    return Outcome(preset, None, BANK, scored, evaluation, 10.0)


DRAWN = DrawnDamage(learnt=20, held_out=4, damaged=8, each=2, goods="found")


def drawn_split(name: str = "can") -> Category:
    """Four good photos, then two damaged copies of each."""
    good = [photo(f"{i:03}.png") for i in range(DRAWN.held_out)]
    bad = [photo(f"{i:03}_{size}.png", "scar") for i in range(DRAWN.held_out) for size in "ab"]
    return Category(name, (Path("000.png"),), (*good, *bad), 0)

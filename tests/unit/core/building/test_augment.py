"""Turned and mirrored copies: their geometry, what they teach, and what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.core.building.augment import Augment
from app.core.building.build import Build, build_bank
from app.core.detector import Detector
from app.core.evaluating.metrics import auroc
from app.core.features.extractor import FeatureExtractor, FeatureSpec
from app.core.features.sample import Sample
from app.core.judging.held_out import hold_out
from app.core.methods.knn import Knn, KnnSettings
from app.core.methods.method import Lesson
from app.core.methods.scoring import Scoring
from app.core.photo.box import Box
from app.core.photo.dataset import read_category
from app.core.photo.images import decode
from app.core.photo.look import WHOLE, Look, LookRecord
from app.core.photo.preprocess import PreparedImage, Preprocess
from tests.support import ColourRuntime, bank_of, encode, textured, write_photos
from tests.unit.core.features.test_patches import CELL, INPUT, PATCHES, method

SPEC = FeatureSpec.model_validate(PATCHES)


class GradientRuntime(ColourRuntime):
    """Of each 8 × 8 pixels how much grey changes across and down, and the grey: a turn shows."""

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        grey = batch.mean(dim=1, keepdim=True)
        across, down = torch.zeros_like(grey), torch.zeros_like(grey)
        across[..., 1:] = grey.diff(dim=3).abs()
        down[..., 1:, :] = grey.diff(dim=2).abs()
        return (torch.nn.functional.avg_pool2d(torch.cat([across, down, grey], dim=1), CELL),)


def gradients() -> FeatureExtractor:
    return FeatureExtractor(SPEC, GradientRuntime(spec=SPEC))


def prepared(width: int, height: int, rule: str = "letterbox") -> PreparedImage:
    preprocess = Preprocess.model_validate(dict(PATCHES["preprocess"]) | {"resize": rule})
    return preprocess.prepare(decode(encode(textured(width, height))))


@pytest.mark.parametrize(
    ("plan", "each"),
    [
        ({}, 0),
        ({"flips": True}, 1),
        ({"turns": "quarter"}, 3),
        ({"turns": "quarter", "copies": 2}, 2),
        ({"turns": "quarter", "flips": True}, 3),
        ({"turns": "quarter", "flips": True, "copies": 16}, 7),
        ({"turns": "free", "copies": 5}, 5),
    ],
)
def test_how_many_copies_a_photo_has(plan: dict[str, Any], each: int) -> None:
    made = Augment(**plan)
    assert made.each == each
    copies = made.of(prepared(64, 48), WHOLE, 0)
    assert len(copies) == each
    assert len({copy.pixels.tobytes() for copy, _ in copies}) == each


@pytest.mark.parametrize("rule", ["letterbox", "squash"])
@given(width=st.integers(20, 150), height=st.integers(20, 150))
def test_a_quarter_turn_is_that_of_the_photo_before_it_is_prepared(
    rule: str, width: int, height: int
) -> None:
    preprocess = Preprocess.model_validate(dict(PATCHES["preprocess"]) | {"resize": rule})
    photo = textured(width, height)
    by_hand = [
        preprocess.prepare(decode(encode(photo.transpose(turn))))
        for turn in (
            Image.Transpose.ROTATE_90,
            Image.Transpose.ROTATE_180,
            Image.Transpose.ROTATE_270,
        )
    ]
    copies = Augment(turns="quarter").of(preprocess.prepare(decode(encode(photo))), WHOLE, 0)
    for (copy, _), expected in zip(copies, by_hand, strict=True):
        ours, theirs = copy.content, expected.content
        # An odd number of rows of padding has its larger half below, turned or not.
        assert (ours.width, ours.height) == (theirs.width, theirs.height)
        assert max(abs(ours.left - theirs.left), abs(ours.top - theirs.top)) <= 1
        shown = [
            image.pixels[int(b.top) : int(b.bottom), int(b.left) : int(b.right)].astype(int)
            for image, b in ((copy, ours), (expected, theirs))
        ]
        assert np.abs(shown[0] - shown[1]).max() <= 2  # of rounding


def test_a_mask_turns_with_the_photo() -> None:
    pixels = np.zeros((INPUT, INPUT, 3), dtype=np.uint8)
    pixels[16:48, :20] = 255  # white where it is looked at, on a photo of 64 × 32
    photo = PreparedImage(pixels, Box(0, 16, 64, 48), Box(0, 16, 64, 48))
    weights = np.zeros((32, 64), dtype=np.float32)
    weights[:, :20] = 1
    look = Look(LookRecord(kind="mask"), weights)
    quarters = Augment(turns="quarter", flips=True, copies=7).of(photo, look, 0)
    for copy, turned in [
        *quarters,
        *Augment(turns="free", flips=True, copies=9).of(photo, look, 0),
    ]:
        cells = copy.cells((8, 8))
        counted = turned.cell_weights(cells, copy.content_in((8, 8)))
        assert counted is not None
        white = copy.pixels.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3, 4))[cells] / 255
        assert (white[counted > 0] > 0.45).all()
        # What lies outside the photo mirrors it, and may be white and not looked at.
        assert (counted > 0).sum() >= 5


def test_free_turns_learn_nothing_of_what_lies_outside_the_photo() -> None:
    photo = prepared(64, 16)
    for copy, look in Augment(turns="free", copies=16).of(photo, WHOLE, 3):
        counted = look.cell_weights(copy.cells((8, 8)), copy.content_in((8, 8)))
        assert counted is not None
        assert (
            10 <= (counted > 0).sum() <= 24
        )  # of 64 × 16 pixels, 16 cells, those at the rim in part


def test_the_same_seed_gives_the_same_copies_and_each_photo_has_its_own() -> None:
    plan, photo = Augment(turns="free", flips=True), prepared(64, 48)
    first, again, other = (plan.of(photo, WHOLE, number) for number in (0, 0, 1))
    pixels = [[copy.pixels.tobytes() for copy, _ in copies] for copies in (first, again, other)]
    assert pixels[0] == pixels[1]
    assert pixels[0] != pixels[2]


def striped(seed: int, *, turned: bool = False, defective: bool = False) -> Image.Image:
    """Goods with stripes across; where defective, a part has lost them."""
    chance = np.random.default_rng(seed)
    pixels = np.full((INPUT, INPUT, 3), 110.0)
    pixels[::4] += 60
    pixels[1::4] += 60
    pixels += np.kron(chance.normal(0, 10, (8, 8)), np.ones((8, 8)))[..., None]  # no two alike
    if defective:
        row, column = chance.integers(8, 32, 2)
        pixels[row : row + 20, column : column + 20] = 140
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return image.transpose(Image.Transpose.ROTATE_90) if turned else image


def built(root: Path, **changes: Any) -> Build:
    write_photos(root / "can" / "train" / "good", [striped(seed) for seed in range(15)])
    return build_bank(read_category(root, "can"), method(**changes), gradients())


def area(build: Build, *, turned: bool) -> float:
    """AUROC on 12 good and 12 defective photos, every second one turned where any is."""
    detector = Detector(build.artifact, gradients())
    scores = [
        np.array(
            [
                detector.inspect(
                    encode(striped(seed, turned=turned and seed % 2 == 0, defective=bad))
                ).score
                for seed in range(first, first + 12)
            ]
        )
        for first, bad in ((100, False), (200, True))
    ]
    return auroc(*scores)


def test_goods_that_are_turned_are_told_apart_where_turns_were_learnt(tmp_path: Path) -> None:
    plain = built(tmp_path / "plain")
    turned = built(tmp_path / "turned", augment={"turns": "quarter"})
    assert area(plain, turned=True) < 0.8
    assert area(turned, turned=True) == 1.0
    assert area(plain, turned=False) == area(turned, turned=False) == 1.0
    assert turned.artifact.manifest.counts.turned == 45
    assert plain.artifact.manifest.counts.turned == 0


def test_copies_share_the_coresets_budget_and_calibrate_nothing(tmp_path: Path) -> None:
    reduced = {"kind": "knn", "coreset_ratio": 0.1}
    plain = built(tmp_path / "plain", method=reduced).artifact
    turned = built(tmp_path / "turned", method=reduced, augment={"turns": "free"}).artifact
    assert len(bank_of(plain)) == len(bank_of(turned)) == 96  # of 15 × 64 patches
    assert len(plain.calibration.scores) == len(turned.calibration.scores) == 15


@pytest.mark.parametrize("plan", [{"turns": "quarter"}, {"turns": "free"}, {"flips": True}])
@pytest.mark.parametrize(
    "look",
    [
        {"kind": "box", "box": [0.1, 0.2, 0.9, 0.7]},
        {"kind": "mask", "polygon": [[0, 0], [0.3, 0], [0, 0.3]]},
        {"kind": "learned"},
    ],
)
def test_copies_go_with_any_look(
    tmp_path: Path, plan: dict[str, Any], look: dict[str, Any]
) -> None:
    artifact = built(tmp_path, augment=plan, look=look).artifact
    Detector(artifact, gradients()).self_test()
    assert artifact.manifest.counts.turned in (15, 45)


@pytest.mark.parametrize(
    "kept", [{"rule": "highest_std", "keep": 2}, {"rule": "random", "keep": 1}]
)
def test_copies_have_the_dimensions_that_are_kept(tmp_path: Path, kept: dict[str, Any]) -> None:
    artifact = built(tmp_path, augment={"turns": "quarter"}, selection=kept).artifact
    assert bank_of(artifact).dimensions == kept["keep"]


def single(value: float) -> Sample:
    return Sample(np.full((1, 1, 1), value, dtype=np.float32), 0, 0, (1, 1))


@pytest.mark.parametrize("copied", [[0.0, 0.0, 9.0], [5.0, 6.0, 7.0]])
def test_a_copy_never_scores_its_own_photo(copied: list[float]) -> None:
    """Photos at 0, 1 and 9, of two groups; the first two are left out together."""
    turned = [single(value) for value in copied]
    lesson = Lesson(
        [single(v) for v in (0, 1, 9)],
        ["a", "a", "b"],
        Scoring(),
        turned=turned,
    )
    learnt = Knn.fit(KnnSettings(), lesson.with_turned())
    found = hold_out(learnt, lesson, folds=5, seed=0).scores
    others = {0: [9, copied[2]], 1: [9, copied[2]], 2: [0, 1, *copied[:2]]}
    values = (0, 1, 9)
    expected = [min(abs(values[i] - v) for v in others[i]) for i in range(3)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_copy_is_of_its_photos_group() -> None:
    samples = [single(v) for v in (0, 1)]
    turned = [single(v) for v in (2, 3, 4, 5)]
    lesson = Lesson(samples, ["a", "b"], Scoring(), turned=turned)
    whole = lesson.with_turned()
    assert list(whole.groups) == ["a", "b", "a", "a", "b", "b"]
    assert [float(s.cells[0, 0, 0]) for s in whole.samples] == [0, 1, 2, 3, 4, 5]
    assert [float(s.cells[0, 0, 0]) for s in whole.photos] == [0, 1]
    second = lesson.of([1]).with_turned()
    assert [float(s.cells[0, 0, 0]) for s in second.samples] == [1, 4, 5]
    assert list(second.groups) == ["b"] * 3

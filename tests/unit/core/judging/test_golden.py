from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.detector import Detector
from app.core.errors import ArtifactError, BankError, NonFiniteScore
from app.core.features.extractor import FeatureExtractor, FeatureSpec
from app.core.judging.golden import BOUND, COUNT, Golden
from app.core.methods.knn import Knn, KnnSettings
from app.core.methods.knn.bank import MemoryBank
from app.core.methods.method import Scorer
from app.core.methods.scoring import Scoring
from app.core.photo.images import decode
from app.core.photo.preprocess import PreparedImage
from app.core.store import artifact as artifacts
from app.core.store.artifact import Artifact
from tests.support import SPEC, ColourRuntime, colour_extractor, encode, make_artifact, textured
from tests.unit.core.features.test_patches import built, extractor

# Its golden photos, the greys, lie 0.2 and more from its only vector.
FAR = np.array([[0.9, 0.1, 0.5]], dtype=np.float32)


def knn(vectors: np.ndarray, k: int = 1) -> Knn:
    return Knn(KnnSettings(k=k), MemoryBank(vectors))


class Scaled(ColourRuntime):
    """The network, its features larger by a factor."""

    def __init__(self, factor: float, spec: FeatureSpec = SPEC) -> None:
        self.factor = factor
        super().__init__(spec=spec)

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (batch * self.factor,)


def scaled(factor: float) -> FeatureExtractor:
    return FeatureExtractor(SPEC, Scaled(factor))


def bank_of(*, typical: float = 1.0, bound: float = 0.02) -> Artifact:
    """A bank whose normal photos score `typical`, which makes deviations easy to work out."""
    artifact = make_artifact(vectors=FAR, scores=[typical] * 4)
    golden = artifact.manifest.golden.model_copy(update={"bound": bound})
    return replace(artifact, manifest=artifact.manifest.model_copy(update={"golden": golden}))


def shifted(artifact: Artifact, by: float, photo: int = 0) -> Artifact:
    """One golden photo scored otherwise when the bank was built."""
    scores = artifact.golden.scores.copy()
    scores[photo] += np.float32(by)
    return replace(artifact, golden=replace(artifact.golden, scores=scores))


def passes(artifact: Artifact, extractor: FeatureExtractor | None = None) -> bool:
    try:
        Detector(artifact, extractor or colour_extractor()).self_test()
    except ArtifactError:
        return False
    return True


def test_the_same_network_passes() -> None:
    artifact = bank_of()
    Detector(artifact, colour_extractor()).self_test()
    assert artifact.golden.deviation(colour_extractor(), artifact.scorer, 1.0) == 0


def test_a_built_bank_has_golden_photos_and_passes_after_a_reload(tmp_path: Path) -> None:
    artifact = built(tmp_path / "data").artifact
    assert len(artifact.golden.scores) == artifact.manifest.golden.photos == COUNT
    assert artifact.manifest.golden.bound == BOUND
    artifacts.save(tmp_path / "models", artifact)
    loaded = artifacts.load(tmp_path / "models", "can")
    for stored, measured in zip(
        (loaded.golden.pixels, loaded.golden.content, loaded.golden.scores),
        (artifact.golden.pixels, artifact.golden.content, artifact.golden.scores),
        strict=True,
    ):
        np.testing.assert_array_equal(stored, measured)
    Detector(loaded, extractor()).self_test()


@pytest.mark.parametrize("factor", [0.0, 0.8, 1.2, 10.0])
def test_a_network_with_other_features_is_refused_with_the_way_out(factor: float) -> None:
    with pytest.raises(ArtifactError, match="golden photos' scores differ by") as caught:
        Detector(bank_of(), scaled(factor)).self_test()
    text = str(caught.value)
    assert "more than 2.0%" in text
    assert "torch in float32 on cpu" in text
    assert "GOODSGUARD_RUNTIME" in text
    assert "build it again" in text


def test_a_network_that_hardly_differs_passes() -> None:
    Detector(bank_of(), scaled(1.001)).self_test()


def test_other_vectors_are_refused() -> None:
    artifact = bank_of()
    moved = replace(artifact, method=knn(FAR + np.float32(0.1)))
    with pytest.raises(ArtifactError, match="golden photos"):
        Detector(moved, colour_extractor()).self_test()


def test_another_scoring_is_refused() -> None:
    artifact = make_artifact(vectors=np.concatenate([FAR, FAR * 0]), scores=[1.0] * 4)
    other = replace(artifact, method=knn(np.concatenate([FAR, FAR * 0]), k=2))
    with pytest.raises(ArtifactError, match="golden photos"):
        Detector(other, colour_extractor()).self_test()


def test_a_network_of_another_width_does_not_fit() -> None:
    artifact = replace(bank_of(), method=knn(np.ones((3, 4), dtype=np.float32)))
    with pytest.raises(BankError, match="D = 4"):
        Detector(artifact, colour_extractor()).self_test()


def test_a_network_that_answers_nan_does_not_pass() -> None:
    with pytest.raises(NonFiniteScore):
        Detector(bank_of(), scaled(float("nan"))).self_test()


@given(
    bound=st.floats(0.001, 1),
    share=st.floats(0, 3),
    photo=st.integers(0, COUNT - 1),
    typical=st.floats(0.5, 50),
)
def test_the_largest_deviation_as_a_share_of_a_normal_score_decides(
    bound: float, share: float, photo: int, typical: float
) -> None:
    assume(abs(share - 1) > 0.01)
    artifact = bank_of(typical=typical, bound=bound)
    stored = shifted(artifact, -share * bound * typical, photo)
    assume(stored.golden.scores.mean() <= typical)
    assert passes(stored) == (share < 1)


def test_a_score_lower_than_at_the_build_counts_as_one_that_is_higher() -> None:
    artifact = bank_of()
    assert [passes(shifted(artifact, by)) for by in (-0.03, -0.01, 0.01, 0.03)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_one_photo_that_moved_is_not_outweighed_by_those_that_did_not() -> None:
    artifact = bank_of()
    assert all(not passes(shifted(artifact, 0.05, photo)) for photo in range(COUNT))


def test_banks_of_nearly_equal_photos_do_not_divide_by_zero() -> None:
    """Greys lie in the bank of greys: their scores are 0, and so may be those of calibration."""
    artifact = make_artifact(scores=[0.0] * 4)
    assert artifact.golden.scores.max() < 1e-6
    assert passes(artifact)
    assert not passes(artifact, scaled(1.1))


def prepared(width: int, height: int) -> PreparedImage:
    return extractor().prepare(decode(encode(textured(width, height))))


@pytest.mark.parametrize("size", [(64, 64), (160, 120), (50, 90), (33, 64)])
def test_photos_are_kept_mirrored_with_their_place(size: tuple[int, int]) -> None:
    photo = prepared(*size)
    scorer = Scorer(knn(extractor().embed([photo])[0]), Scoring())
    golden = Golden.measure([photo], extractor(), scorer)
    np.testing.assert_array_equal(golden.pixels[0], photo.pixels[:, ::-1])
    (turned,) = golden.photos()
    content, side = photo.content, photo.pixels.shape[1]
    assert (turned.content.left, turned.content.right) == (
        side - content.right,
        side - content.left,
    )
    assert (turned.content.top, turned.content.bottom) == (content.top, content.bottom)

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.core.detector import Detector
from app.core.errors import ArtifactError, NonFiniteScore, NotAnImage, TooManyPixels
from app.core.features.extractor import FeatureExtractor
from tests.support import (
    GREYS,
    SPEC,
    THRESHOLD,
    ColourRuntime,
    colour_extractor,
    encode,
    make_artifact,
    make_detector,
    plain,
)

channel = st.integers(0, 255)


def expected_score(colour: tuple[int, int, int]) -> float:
    return min(math.dist(colour, (g, g, g)) / 255 for g in GREYS)


@given(colour=st.tuples(channel, channel, channel))
def test_score_is_the_distance_to_the_nearest_good_photo(colour: tuple[int, int, int]) -> None:
    inspection = make_detector().inspect(encode(plain(colour)))
    assert inspection.score == pytest.approx(expected_score(colour), abs=1e-5)
    assert inspection.is_anomalous is (inspection.score > THRESHOLD)


def test_a_photo_that_is_in_the_bank_scores_zero() -> None:
    inspection = make_detector().inspect(encode(plain(GREYS[3])))
    assert inspection.score == pytest.approx(0, abs=1e-6)
    assert inspection.verdict == "normal"


def test_several_neighbours_are_averaged() -> None:
    inspection = make_detector(k=3).inspect(encode(plain(GREYS[0])))
    steps = [0, 5, 10]
    assert inspection.score == pytest.approx(np.mean(steps) * math.sqrt(3) / 255, abs=1e-5)


def test_p_value_comes_from_the_calibration_scores() -> None:
    detector = make_detector(scores=(0.01, 0.02, 0.03, 0.04))
    assert detector.inspect(encode(plain((255, 0, 0)))).p_value == pytest.approx(1 / 5)
    assert detector.inspect(encode(plain(GREYS[0]))).p_value == pytest.approx(1)


def test_size_and_format_are_those_of_the_upload() -> None:
    inspection = make_detector().inspect(encode(plain(120, (64, 48)), "JPEG"))
    assert (inspection.width, inspection.height, inspection.format) == (64, 48, "JPEG")


def test_every_stage_is_timed() -> None:
    timings = make_detector().inspect(encode(plain(120))).timings_ms
    assert {"decode", "embed", "search"} <= set(timings)
    assert all(ms >= 0 for ms in timings.values())


def test_photos_of_a_batch_are_judged_as_if_alone() -> None:
    detector = make_detector()
    colours: list[int | tuple[int, int, int]] = [100, (255, 0, 0), 140, (0, 0, 255), 7]
    files = [encode(plain(colour)) for colour in colours]
    together = detector.judge([detector.read(data) for data in files])
    assert [i.score for i in together] == [detector.inspect(data).score for data in files]


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(NotAnImage):
        make_detector().inspect(b"no image")


def test_pixel_limit_is_the_detectors() -> None:
    detector = Detector(make_artifact(), colour_extractor(), max_pixels=100)
    with pytest.raises(TooManyPixels):
        detector.inspect(encode(plain(9, (11, 10))))


def test_another_extractor_than_the_banks_is_refused() -> None:
    other = SPEC.model_copy(update={"weights_sha256": "f" * 64})
    with pytest.raises(ArtifactError, match="built with"):
        Detector(make_artifact(), colour_extractor(other))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_finite_give_no_verdict(value: float) -> None:
    class Broken(ColourRuntime):
        def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (torch.full_like(batch, value),)

    detector = Detector(make_artifact(), FeatureExtractor(SPEC, Broken()))
    with pytest.raises(NonFiniteScore):
        detector.inspect(encode(plain(9)))

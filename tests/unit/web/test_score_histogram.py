from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.core.judging.calibration import Calibration
from app.web.score_histogram import score_histogram


def of(scores: list[float], threshold: float) -> Calibration:
    return Calibration(np.array(scores, dtype=np.float32), threshold, alpha=0.01)


@given(
    st.lists(st.floats(0, 1000, width=32), min_size=2, max_size=50),
    st.floats(0, 2000),
    st.floats(0, 1e7),
)
def test_every_good_photo_is_counted_and_the_axis_holds_all_but_far_scores(
    scores: list[float], threshold: float, score: float
) -> None:
    drawn = score_histogram(of(scores, threshold), score)
    assert sum(drawn.counts) == drawn.photos == len(scores)
    assert len(drawn.edges) == len(drawn.counts) + 1
    assert drawn.start <= min(scores)
    assert drawn.end >= max(*scores, threshold) * (1 - 1e-6)
    assert drawn.start <= score
    assert drawn.is_beyond == (score > drawn.end)
    width = drawn.edges[-1] - drawn.edges[0]
    assert drawn.end - drawn.edges[0] <= 5.05 * width + 1e-3


def test_the_caption_has_the_numbers() -> None:
    drawn = score_histogram(of([1.0, 2.0, 3.0], 2.5), 3.5)
    assert drawn.caption == (
        "Scores of 3 good photos, from 1 to 3; threshold 2.5 (dashed); this photo 3.5 (solid)."
    )
    far = score_histogram(of([1.0, 2.0, 3.0], 2.5), 500.0)
    assert "this photo 500 (solid, beyond the right edge)" in far.caption
    assert drawn.values["threshold"] == 2.5

from __future__ import annotations

import re

import numpy as np
import pytest

from app.core.judging.drift import drift
from app.web.drift_chart import HEIGHT, WIDTH, drift_chart


@pytest.mark.parametrize("threshold", [-1.0, 3.0, 100.0])
def test_all_of_it_lies_inside_the_picture(threshold: float) -> None:
    rng = np.random.default_rng(1)
    found = drift(rng.normal(5, 1, 100).astype(np.float32), rng.normal(6, 2, 80))
    assert found is not None
    chart = drift_chart(found, threshold)
    heights = [float(y) for y in re.findall(r"V([\d.-]+)", chart.bars + chart.outline)]
    assert min(heights) == pytest.approx(1)  # the highest fills it
    assert max(heights) <= HEIGHT
    assert chart.low < chart.high
    inside = chart.low <= threshold <= chart.high
    assert (chart.threshold is not None) == inside
    assert chart.threshold is None or 0 <= chart.threshold <= WIDTH

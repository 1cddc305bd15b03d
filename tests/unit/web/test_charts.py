from __future__ import annotations

import numpy as np
import pytest

from app.core.evaluating.metrics import auroc
from app.service.evaluations import LabelScores
from app.web.charts import evaluation_chart


def area(points: str) -> float:
    xs, ys = np.array([[float(n) for n in p.split(",")] for p in points.split()]).T
    return float(np.trapezoid(1 - ys / 100, xs / 100))


@pytest.mark.parametrize("seed", range(3))
def test_the_area_under_the_curve_is_the_auroc(seed: int) -> None:
    rng = np.random.default_rng(seed)
    good, bad = rng.normal(2, 0.5, 40).round(1), rng.normal(3, 0.7, 30).round(1)  # with ties
    scores = LabelScores(good=tuple(good), defective=tuple(bad))
    chart = evaluation_chart(scores, 2.5)
    assert area(chart.roc) == pytest.approx(auroc(good, bad), abs=1e-3)
    assert chart.x == pytest.approx(100 * (good > 2.5).mean(), abs=0.01)
    assert chart.y == pytest.approx(100 * (1 - (bad > 2.5).mean()), abs=0.01)
    assert max(chart.good) == max(chart.defective) == 1.0

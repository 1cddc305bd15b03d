from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from app.core.errors import BankError, PresetError
from app.core.features.sample import Sample
from app.core.methods.autoencoder import Autoencoder, AutoencoderSettings, Network
from app.core.methods.method import Lesson, Scorer
from app.core.methods.scoring import Scoring

SIDE = 32
WHOLE = Scoring(top_share=1.0)
QUICK = AutoencoderSettings(code=8, epochs=2, batch=8)


def stripes(shift: int, *, spot: bool = False) -> Sample:
    """Good goods are stripes at some phase; a defective one has a white square on them."""
    wave = 0.5 + 0.25 * np.sin((np.arange(SIDE) + shift) / 5.0)
    cells = np.broadcast_to(wave[None, :, None], (SIDE, SIDE, 3)).astype(np.float32)
    if spot:
        cells[10:22, 10:22] = 1.0
    return Sample(cells, 0, 0, (SIDE, SIDE))


def lesson(number: int = 24, **options: Any) -> Lesson:
    samples = [stripes(i) for i in range(number)]
    return Lesson(samples, [str(i) for i in range(number)], WHOLE, **options)


@pytest.fixture(scope="module")
def learnt() -> Autoencoder:
    return Autoencoder.fit(AutoencoderSettings(epochs=30, batch=8, learning_rate=3e-3), lesson())


def test_it_scores_the_defective_higher_and_where_the_defect_is(learnt: Autoencoder) -> None:
    scorer = Scorer(learnt, WHOLE)
    good = [scorer.score(stripes(i)) for i in (1, 5, 9)]
    bad = [scorer.score(stripes(i, spot=True)) for i in (1, 5, 9)]
    assert min(bad) > 2 * max(good)
    cells = scorer.cells(stripes(5, spot=True))
    assert cells[11:21, 11:21].mean() > 3 * cells[:8].mean()


def test_a_cells_score_is_the_distance_between_what_is_and_what_was_drawn(
    learnt: Autoencoder,
) -> None:
    sample = stripes(3, spot=True)
    network = Network(learnt.settings).eval()
    network.load_state_dict({n: torch.from_numpy(t) for n, t in learnt.tensors().items()})
    with torch.inference_mode():
        drawn = network(torch.from_numpy(sample.cells)[None])[0].numpy()
    expected = np.sqrt(np.square(sample.cells - drawn).sum(axis=2))
    np.testing.assert_allclose(learnt.score(sample, 1), expected, atol=1e-5)


def test_what_is_stored_comes_back_and_scores_the_same(learnt: Autoencoder) -> None:
    again = Autoencoder.load(learnt.settings, learnt.tensors())
    np.testing.assert_array_equal(again.score(stripes(2), 1), learnt.score(stripes(2), 1))
    assert again.facts() == learnt.facts()
    assert learnt.facts()["code"] == 64


def test_the_same_seed_gives_the_same_network_and_leaves_the_generator_alone() -> None:
    state = torch.get_rng_state()
    one, two, other = (
        Autoencoder.fit(QUICK.model_copy(update={"seed": seed}), lesson()).tensors()
        for seed in (0, 0, 1)
    )
    assert all((one[name] == two[name]).all() for name in one)
    assert not all((one[name] == other[name]).all() for name in one)
    assert (torch.get_rng_state() == state).all()


def test_progress_counts_the_passes() -> None:
    seen: list[tuple[int, int]] = []
    Autoencoder.fit(QUICK, lesson(progress=lambda *at: seen.append(at)))
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize("grid", [(1, 1), (8, 8), (40, 32)])
def test_a_grid_that_cannot_be_halved_is_refused(grid: tuple[int, int]) -> None:
    cells = np.zeros((*grid, 3), dtype=np.float32)
    with pytest.raises(PresetError, match=r"multiples of 16.*change input_size"):
        Autoencoder.fit(QUICK, Lesson([Sample(cells, 0, 0, grid)], ["a"], WHOLE))


def test_a_photo_that_fills_a_part_of_its_input_is_scored_there(learnt: Autoencoder) -> None:
    whole = stripes(3)
    part = Sample(whole.cells[6:26], 6, 0, (SIDE, SIDE))
    found = learnt.score(part, 1)
    assert found.shape == (20, SIDE)
    # Stripes run from top to bottom: the rim continued is the whole again.
    np.testing.assert_allclose(found, learnt.score(whole, 1)[6:26], atol=1e-5)


def test_photos_of_any_shape_can_be_learnt_from() -> None:
    part = Sample(stripes(1).cells[:20], 6, 0, (SIDE, SIDE))
    learnt = Autoencoder.fit(QUICK, Lesson([stripes(0), part], ["a", "b"], WHOLE))
    assert np.isfinite(learnt.score(part, 1)).all()


@pytest.mark.parametrize("shape", [(SIDE, SIDE, 2), (SIDE, 16, 3), (1, 1, 3)])
def test_cells_of_another_grid_are_refused(learnt: Autoencoder, shape: tuple[int, ...]) -> None:
    with pytest.raises(BankError, match="autoencoder learnt"):
        learnt.score(Sample(np.zeros(shape, dtype=np.float32), 0, 0, shape[:2]), 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encode.0.weight": None}, "lacks encode.0.weight"),
        ({"more": np.zeros(1, dtype=np.float32)}, "holds more"),
        ({"encode.0.bias": np.zeros(3, dtype=np.float32)}, "encode.0.bias is"),
        ({"encode.0.bias": np.zeros(16, dtype=np.int32)}, "float32"),
        ({"encode.0.bias": np.full(16, np.nan, dtype=np.float32)}, "NaN"),
    ],
)
def test_tensors_of_another_network_are_refused(
    learnt: Autoencoder, changes: dict[str, Any], reason: str
) -> None:
    given = {n: t for n, t in (learnt.tensors() | changes).items() if t is not None}
    with pytest.raises(BankError, match=reason):
        Autoencoder.load(learnt.settings, given)


@pytest.mark.parametrize("grid", [None, (0, 32), (1 << 20, 1 << 20)])
def test_settings_that_name_no_sensible_grid_are_refused(
    learnt: Autoencoder, grid: tuple[int, int] | None
) -> None:
    settings = learnt.settings.model_copy(update={"grid": grid})
    with pytest.raises(BankError):
        Autoencoder.load(settings, learnt.tensors())


@pytest.mark.parametrize("change", [{"epochs": 0}, {"code": 0}, {"learning_rate": 2}])
def test_settings_without_sense_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        AutoencoderSettings.model_validate(change)

"""The choice on drawn sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from app.core.building.looking import LookBox
from app.core.building.preset import Preset
from app.core.choosing.auto import build_with_best_look
from app.core.choosing.candidates import LEAST_APART, LEAST_VARIED
from app.core.choosing.choose import FEWEST_PHOTOS, LookChosen, choose_look
from app.core.choosing.following import LEAST_FOLLOWS
from app.core.features.extractor import FeatureExtractor
from app.core.judging.calibration import Alpha
from app.core.photo.dataset import Category, read_category
from app.core.store import artifact as artifacts
from app.core.store import manifest as manifests
from tests.support import METHOD, colour_extractor, write_category

from .scenes import before_a_busy_shelf, category, looking_at, still, texture

BOX = LookBox(kind="box", box=(0.3, 0.2, 0.7, 0.8))


@pytest.fixture(scope="module")
def busy(
    tmp_path_factory: pytest.TempPathFactory, preset: Preset, extractor: FeatureExtractor
) -> tuple[Category, LookChosen]:
    source = category(tmp_path_factory.mktemp("busy"), before_a_busy_shelf)
    return source, choose_look(source, preset, extractor, given=BOX)


def test_goods_before_a_busy_shelf_are_looked_at_alone(
    busy: tuple[Category, LookChosen],
) -> None:
    trial = busy[1].trial
    assert trial.goods == "found"
    assert trial.taken in ("learned", "box")
    assert trial.taken == busy[1].choice.kind
    whole, learned, box = trial.rows
    assert (whole.look, learned.look, box.look) == ("whole", "learned", "box")
    assert learned.is_better
    assert learned.auroc > whole.auroc
    assert (trial.learnt, trial.held_out, trial.damaged) == (24, 12, 36)


def test_the_same_seed_gives_the_same_table(
    busy: tuple[Category, LookChosen], preset: Preset, extractor: FeatureExtractor
) -> None:
    source, first = busy
    assert choose_look(source, preset, extractor, given=BOX).trial == first.trial


@pytest.mark.parametrize("drawn", [still, texture])
def test_goods_that_fill_the_frame_are_looked_at_whole(
    drawn: Callable[[int], Image.Image], preset: Preset, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    chosen = choose_look(category(tmp_path, drawn), preset, extractor)
    assert chosen.choice.kind == "whole"
    assert chosen.trial.goods == "everywhere"
    assert chosen.trial.rows[1].difference is not None  # told all the same


def test_a_prior_that_knows_the_frame_alone_is_no_prior(preset: Preset, tmp_path: Path) -> None:
    """Padding tells the middle of any photo from its rim, perfectly."""
    chosen = choose_look(category(tmp_path, texture), preset, looking_at(preset, padding=0.2))
    trial = chosen.trial
    assert trial.apart is not None
    assert trial.varied is not None
    assert trial.apart > LEAST_APART
    assert trial.varied > LEAST_VARIED
    assert trial.follows is not None
    assert trial.follows < LEAST_FOLLOWS
    assert chosen.choice.kind == "whole"


def test_few_photos_prove_nothing(
    preset: Preset, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    source = category(tmp_path, before_a_busy_shelf, FEWEST_PHOTOS - 1)
    chosen = choose_look(source, preset, extractor)
    assert chosen.choice.kind == "whole"
    assert f"{FEWEST_PHOTOS - 1} different good photos are too few" in chosen.trial.why


def test_features_without_places_see_the_whole(tmp_path: Path) -> None:
    write_category(tmp_path)
    chosen = choose_look(read_category(tmp_path, "can"), METHOD, colour_extractor())
    assert (chosen.choice.kind, chosen.trial.rows) == ("whole", ())


def test_the_manifest_says_how_the_look_was_chosen(
    busy: tuple[Category, LookChosen],
    preset: Preset,
    extractor: FeatureExtractor,
    tmp_path: Path,
) -> None:
    source, chosen = busy
    build = build_with_best_look(source, preset, extractor, given=BOX, threshold=Alpha(alpha=0.1))
    artifacts.save(tmp_path, build.artifact)
    manifest = artifacts.load(tmp_path, "box").manifest
    assert manifest.look_trial == chosen.trial
    assert manifest.look.kind == chosen.trial.taken
    assert len(chosen.trial.model_dump_json()) < 4096


def test_a_manifest_of_before_has_no_trial(tmp_path: Path) -> None:
    from tests.support import make_artifact

    manifest = make_artifact().manifest
    fields = manifest.model_dump(mode="json", exclude={"look_trial"})
    assert manifests.Manifest.model_validate(fields).look_trial is None

"""The choice on drawn sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy.ndimage import zoom
from torch.nn.functional import avg_pool2d

from app.core.building.looking import LookBox
from app.core.building.preset import Preset, load_preset
from app.core.choosing.auto import build_with_best_look
from app.core.choosing.candidates import LEAST_APART, LEAST_VARIED
from app.core.choosing.choose import FEWEST_PHOTOS, LookChosen, choose_look
from app.core.choosing.following import LEAST_FOLLOWS
from app.core.features.extractor import FeatureExtractor
from app.core.judging.calibration import Alpha
from app.core.photo.dataset import Category, read_category
from app.core.store import artifact as artifacts
from app.core.store import manifest as manifests
from tests.drawn import photo
from tests.support import METHOD, ColourRuntime, colour_extractor, write_category, write_photos

PHOTOS = 36
BOX = LookBox(kind="box", box=(0.3, 0.2, 0.7, 0.8))


class LocalColours(ColourRuntime):
    """The mean colour and contrast of 8 x 8 pixels: a network that pads nothing.

    Attributes:
        padding: how much the distance to the rim shows in the features, as padding makes it.
    """

    padding = 0.0

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        mean = avg_pool2d(batch, 8)
        contrast = (avg_pool2d(batch**2, 8) - mean**2).clamp(min=0).sqrt()
        side = mean.shape[-1]
        line = torch.minimum(torch.arange(side), torch.arange(side - 1, -1, -1)) / side
        rim = torch.minimum(line[:, None], line[None, :]).expand(len(batch), 1, side, side)
        return (torch.cat([mean, contrast, self.padding * rim], dim=1),)


def before_a_busy_shelf(seed: int) -> Image.Image:
    """A blue carton before goods of other colours each time."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (160, 160))
    draw = ImageDraw.Draw(image)
    for _ in range(200):
        x, y = rng.integers(-20, 160, 2)
        w, h = rng.integers(5, 40, 2)
        colour = tuple(int(c) for c in rng.integers(0, [256, 256, 120]))
        draw.rectangle((x, y, x + w, y + h), fill=colour)
    dx, dy = rng.integers(-3, 4, 2)
    draw.rectangle((54 + dx, 44 + dy, 106 + dx, 116 + dy), fill=(120, 120, 230))
    for line in range(4):
        top = 52 + dy + 15 * line
        draw.rectangle((60 + dx, top, 100 + dx, top + 6), fill=(140, 100, 200))
    return image


def still(seed: int) -> Image.Image:
    """The same surroundings each time."""
    return photo(seed)[0]


def texture(seed: int) -> Image.Image:
    """No goods: the same stuff over the whole frame, its pattern another each time."""
    rng = np.random.default_rng(seed)
    layers = [
        zoom(rng.normal(0, 20, (160 // step, 160 // step, 1)), (step, step, 1), order=1)
        for step in (2, 8)
    ]
    return Image.fromarray(np.clip(128 + sum(layers) + np.zeros(3), 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def preset() -> Preset:
    """Quick: a small input and a small bank."""
    made = load_preset("embedded-patch")
    changes = {"input_size": 160, "mean": (0.0,) * 3, "std": (1.0,) * 3, "draft_margin": 0.0}
    features = made.features.model_copy(
        update={
            "layers": ("blocks.2",),
            "neighbourhood": 1,
            "preprocess": made.features.preprocess.model_copy(update=changes),
        }
    )
    settings = made.method.settings.model_copy(update={"max_vectors": 400})
    method = made.method.model_copy(update={"settings": settings})
    return made.model_copy(update={"features": features, "method": method})


def looking_at(preset: Preset, padding: float = 0.0) -> FeatureExtractor:
    spec = preset.features.model_copy(update={"weights_sha256": "0" * 64})
    runtime = LocalColours(spec=spec)
    runtime.padding = padding
    return FeatureExtractor(spec, runtime)


@pytest.fixture(scope="module")
def extractor(preset: Preset) -> FeatureExtractor:
    return looking_at(preset)


def category(root: Path, drawn: Callable[[int], Image.Image], photos: int = PHOTOS) -> Category:
    write_photos(root / "box/train/good", [drawn(seed) for seed in range(photos)])
    return read_category(root, "box")


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

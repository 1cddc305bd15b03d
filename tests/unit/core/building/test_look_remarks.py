from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core.building.build import build_bank
from app.core.building.look_remarks import looked_share, remarks, sentence
from app.core.building.looking import LookMask
from app.core.building.preset import load_preset
from app.core.building.prior import NoPrior
from app.core.choosing.choose import choose_look
from app.core.errors import PresetError
from app.core.photo.dataset import read_category
from app.core.photo.look import WHOLE, Look, LookRecord
from tests.support import write_photos
from tests.unit.core.features.test_patches import extractor, method

QUARTER = (0.5, 0.5, 1.0, 1.0)


@pytest.mark.parametrize("zoom", [True, False])
def test_the_share_of_a_box(zoom: bool) -> None:
    look = Look(LookRecord(kind="box", box=QUARTER, zoom=zoom))
    assert looked_share(look) == pytest.approx(0.25, abs=0.01)
    assert sentence(look).startswith("looks at 25.0% of each photo")


def test_of_the_whole_photo_nothing_is_said() -> None:
    assert looked_share(WHOLE) == 1
    assert sentence(WHOLE) == ""
    assert remarks(WHOLE, [], 1_000_000) == []


def test_a_mask_of_another_shape_and_one_of_a_point_are_told(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.new("RGB", (192, 160)).save(photo)

    def told(size: tuple[int, int], marked: tuple[int, int, int, int]) -> list[str]:
        mask = Image.new("L", size)
        mask.paste(255, marked)
        mask.save(tmp_path / "mask.png")
        look = LookMask(kind="mask", file=tmp_path / "mask.png").seen()
        return remarks(look, [photo], 1_000_000)

    assert told((192, 160), (20, 20, 150, 150)) == []
    assert told((96, 80), (20, 20, 60, 60)) == []
    (stretched,) = told((160, 192), (20, 20, 150, 150))
    assert "it is stretched over them" in stretched
    (little,) = told((192, 160), (50, 50, 54, 54))
    assert "few patches" in little


def test_photos_without_a_middle_have_no_prior_and_are_looked_at_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    narrow = [Image.fromarray(rng.integers(0, 255, (6, 200, 3), dtype=np.uint8)) for _ in range(18)]
    write_photos(tmp_path / "can" / "train" / "good", narrow)
    category = read_category(tmp_path, "can")
    with pytest.raises(NoPrior, match="so narrow that the network sees no middle"):
        build_bank(category, method(look={"kind": "learned"}), extractor())
    chosen = choose_look(category, method(), extractor())
    assert chosen.choice.kind == "whole"
    assert "no middle" in chosen.trial.why


def test_a_presets_mask_lies_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "presets"
    folder.mkdir()
    Image.new("L", (8, 8), 255).save(folder / "mask.png")
    text = Path("app/core/building/presets/embedded-patch.toml").read_text(encoding="utf-8")
    look = '\n[look]\nkind = "mask"\nfile = "mask.png"\n'
    (folder / "mine.toml").write_text(text + look, encoding="utf-8")
    preset = load_preset(folder / "mine.toml")
    assert isinstance(preset.look, LookMask)
    assert preset.look.file == folder / "mask.png"
    assert preset.look.seen().weights is not None
    (folder / "mask.png").unlink()
    with pytest.raises(PresetError, match="cannot be read"):
        preset.look.seen()

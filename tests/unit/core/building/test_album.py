"""Where the vectors of a bank come from, through a whole build.

The network's features are mean colours of cells, and most photos have the input's size: a vector is
the mean colour of the pixels in its own box, on its own photo's file.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.core.building import album
from app.core.building.augment import Augment
from app.core.building.build import build_bank
from app.core.building.reading import read_batches
from app.core.detector import Detector
from app.core.errors import DatasetError
from app.core.judging.origins import Origins
from app.core.methods.knn import method as knn
from app.core.methods.knn.method import Knn
from app.core.photo.dataset import read_category
from app.core.photo.images import decode
from app.core.store.artifact import Artifact
from tests.support import METHOD, bank_of, colour_extractor, plain, textured, write_photos
from tests.unit.core.features.test_patches import extractor, method

SIZE = 64, 64
LARGE = 128, 128
# Of mean colours in [0, 1].
NEAR = 2e-3


def photo(number: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Of its own colours all over, so that no cell equals one of another photo."""
    noise = np.random.default_rng(number).normal(0, 12, (size[1], size[0], 3))
    pixels = np.asarray(textured(*size)) * 0.8 + noise + 3 * number
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def built(root: Path, photos: list[Image.Image] | None = None, **changes: Any) -> Artifact:
    pictures = changes.pop("pictures", True)
    write_photos(root / "can/train/good", photos or [photo(n) for n in range(12)])
    return build_bank(
        read_category(root, "can"), method(**changes), extractor(), pictures=pictures
    ).artifact


def origins_of(artifact: Artifact) -> Origins:
    assert artifact.origins is not None
    return artifact.origins


def means(root: Path, origins: Origins) -> Any:
    """(N, 3): the mean colours of the boxes, on the files that the numbers name."""
    files = sorted((root / "can/train/good").iterdir())
    pixels = {
        number: np.asarray(decode(files[number - 1].read_bytes()).rgb, dtype=np.float32) / 255
        for number in origins.numbers.tolist()
    }
    found = []
    for one, (left, top, right, bottom) in zip(origins.photo, origins.boxes, strict=True):
        part = pixels[int(origins.numbers[one])][top:bottom, left:right]
        found.append(part.mean(axis=(0, 1)))
    return np.stack(found)


def coreset(share: float) -> dict[str, Any]:
    return {"kind": "knn", "coreset_ratio": share}


@pytest.mark.parametrize("share", [1.0, 0.3, 0.02])
def test_a_vector_is_that_of_its_place(tmp_path: Path, share: float) -> None:
    made = built(tmp_path, method=coreset(share))
    origins = origins_of(made)
    assert len(origins) == len(bank_of(made)) == round(share * 12 * 64)
    np.testing.assert_allclose(means(tmp_path, origins), bank_of(made).vectors, atol=NEAR)


def test_the_cell_embedded_again_gives_the_same_vector(tmp_path: Path) -> None:
    """Bit for bit, of letterboxed photos, whose rim cells are cut."""
    made = built(tmp_path, [photo(n, (160, 120)) for n in range(10)], method=coreset(0.25))
    origins, vectors = origins_of(made), bank_of(made).vectors
    files = sorted((tmp_path / "can/train/good").iterdir())
    detector = Detector(made, extractor())
    for row, (one, box) in enumerate(zip(origins.photo, origins.boxes, strict=True)):
        read = detector.read(files[origins.numbers[one] - 1].read_bytes())
        features = detector.extractor.embed([read.prepared])[0].reshape(8, 8, 3)
        scale = 64 / 160  # of the photo in the input, which begins 8 pixels below its top
        column = int((box[0] + box[2]) / 2 * scale // 8)
        line = int(((box[1] + box[3]) / 2 * scale + 8) // 8)
        np.testing.assert_array_equal(features[line, column], vectors[row])


def test_a_coreset_merged_from_parts_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = built(tmp_path, method=coreset(0.05))
    monkeypatch.setattr(knn, "_BUFFER_BYTES", 100 * 3 * 4)
    merged = built(tmp_path, method=coreset(0.05))
    assert not np.array_equal(bank_of(whole).vectors, bank_of(merged).vectors)
    for made in (whole, merged):
        found = means(tmp_path, origins_of(made))
        np.testing.assert_allclose(found, bank_of(made).vectors, atol=NEAR)


def test_selected_dimensions_keep_them(tmp_path: Path) -> None:
    made = built(tmp_path, selection={"rule": "highest_std", "keep": 2}, method=coreset(0.1))
    columns = list(made.manifest.features.selected_dimensions or ())
    found = means(tmp_path, origins_of(made))[:, columns]
    np.testing.assert_allclose(found, bank_of(made).vectors, atol=NEAR)


def test_photos_set_aside_do_not_shift_the_numbers(tmp_path: Path) -> None:
    """A copy, and a file that is no image."""
    photos = [photo(n) for n in (0, 0, *range(1, 30))]
    folder = tmp_path / "can/train/good"
    write_photos(folder, photos)
    (folder / "photo_0015x.png").write_bytes(b"no image")
    made = build_bank(
        read_category(tmp_path, "can"), method(method=coreset(0.1)), extractor()
    ).artifact
    origins = origins_of(made)
    assert made.manifest.counts.copies == 1
    found = means(tmp_path, origins)
    np.testing.assert_allclose(found, bank_of(made).vectors, atol=NEAR)


def test_a_limit_leaves_the_numbers_those_of_all_files(tmp_path: Path) -> None:
    write_photos(tmp_path / "can/train/good", [photo(n) for n in range(30)])
    made = build_bank(
        read_category(tmp_path, "can"), method(method=coreset(0.1)), extractor(), limit=7
    ).artifact
    origins = origins_of(made)
    assert origins.numbers.max() > 7
    np.testing.assert_allclose(means(tmp_path, origins), bank_of(made).vectors, atol=NEAR)


def test_turned_and_mirrored_copies_come_from_their_photo(tmp_path: Path) -> None:
    made = built(
        tmp_path, augment=Augment(turns="quarter", flips=True, copies=7), method=coreset(1.0)
    )
    origins = origins_of(made)
    assert len(origins) == 8 * 12 * 64
    np.testing.assert_allclose(means(tmp_path, origins), bank_of(made).vectors, atol=NEAR)


def test_freely_turned_copies_come_from_about_their_place(tmp_path: Path) -> None:
    smooth = [
        Image.fromarray((np.asarray(textured(*LARGE).resize((4, 4)).resize(LARGE)) // 2) + 5 * n)
        for n in range(8)
    ]
    made = built(
        tmp_path, smooth, augment=Augment(turns="free", flips=True, copies=2), method=coreset(1.0)
    )
    vectors, found = bank_of(made).vectors, means(tmp_path, origins_of(made))
    away = np.abs(found - vectors).mean(axis=1)
    shuffled = np.abs(found - np.roll(vectors, 7, axis=0)).mean(axis=1)
    assert np.median(away) < 0.02
    assert np.quantile(away, 0.95) < np.median(shuffled)


def test_a_box_that_is_cropped_to_is_where_they_come_from(tmp_path: Path) -> None:
    look = {"kind": "box", "box": [0.25, 0.25, 0.75, 0.75], "zoom": True}
    made = built(tmp_path, [photo(n, LARGE) for n in range(12)], look=look, method=coreset(0.2))
    origins = origins_of(made)
    assert origins.boxes.min() >= 32
    assert origins.boxes.max() <= 96
    np.testing.assert_allclose(means(tmp_path, origins), bank_of(made).vectors, atol=NEAR)


def test_a_mask_lets_none_come_from_what_it_covers(tmp_path: Path) -> None:
    mask = Image.new("L", SIZE)
    mask.paste(255, (32, 0, 64, 64))
    mask.save(tmp_path / "mask.png")
    look = {"kind": "mask", "file": str(tmp_path / "mask.png")}
    made = built(tmp_path, look=look, method=coreset(0.3))
    origins = origins_of(made)
    np.testing.assert_allclose(means(tmp_path, origins), bank_of(made).vectors, atol=NEAR)
    assert origins.boxes[:, 0].min() == (0 if made.look.record.all_teach else 32)


def test_pictures_show_the_part_of_the_file_that_they_say(tmp_path: Path) -> None:
    smooth = [
        Image.fromarray((np.asarray(textured(*LARGE)) // 2 + 4 * n).astype(np.uint8))
        for n in range(12)
    ]
    made = built(tmp_path, smooth, method=coreset(0.01))
    origins = origins_of(made)
    assert origins.pictures is not None
    files = sorted((tmp_path / "can/train/good").iterdir())
    cut = 0
    for one, number in enumerate(origins.numbers):
        shown = origins.pictures.shown(one)
        assert shown is not None
        pixels, frame = shown
        cut += frame.width < LARGE[0] or frame.height < LARGE[1]
        box = (frame.left, frame.top, frame.right, frame.bottom)
        size = pixels.shape[1], pixels.shape[0]
        wanted = decode(files[number - 1].read_bytes()).rgb.resize(size, box=box)
        assert np.abs(pixels.astype(int) - np.asarray(wanted)).mean() < 12
    assert cut  # few vectors need a part of their photo only


@pytest.mark.parametrize("share", [1.0, 0.1, 0.01])
def test_pictures_take_half_of_the_banks_other_bytes_at_most(tmp_path: Path, share: float) -> None:
    made = built(tmp_path, method=coreset(share))
    pictures = origins_of(made).pictures
    assert pictures is not None
    golden = made.golden.pixels.nbytes
    others = sum(tensor.nbytes for tensor in made.method.tensors().values()) + golden
    assert 0 < pictures.data.nbytes <= others // 2


def test_pictures_that_fit_no_memory_wait_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = origins_of(built(tmp_path, method=coreset(0.1)))
    monkeypatch.setattr(album, "_MEMORY_BYTES", 1000)
    outside = origins_of(built(tmp_path, method=coreset(0.1)))
    for name, tensor in inside.tensors().items():
        np.testing.assert_array_equal(outside.tensors()[name], tensor)


def test_a_full_temporary_folder_is_an_error_that_names_the_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photos(tmp_path, [photo(0)])
    ((photos, _),) = read_batches(list(tmp_path.glob("*.png")), extractor(), pictured=True)
    monkeypatch.setattr(album, "_MEMORY_BYTES", 10)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with album.Album() as kept, pytest.raises(DatasetError, match=r"TMPDIR.*--no-pictures"):
        kept.add(photos)


def test_without_pictures_the_places_are_the_same(tmp_path: Path) -> None:
    full, bare = (
        origins_of(built(tmp_path, method=coreset(0.1), pictures=wanted))
        for wanted in (True, False)
    )
    assert full.pictures is not None
    assert bare.pictures is None
    for name, tensor in bare.tensors().items():
        np.testing.assert_array_equal(full.tensors()[name], tensor)


def test_of_a_global_method_the_whole_photo_is_shown(tmp_path: Path) -> None:
    write_photos(tmp_path / "can/train/good", [plain(g, (40, 30)) for g in range(60, 160, 5)])
    made = build_bank(read_category(tmp_path, "can"), METHOD, colour_extractor()).artifact
    origins = origins_of(made)
    assert np.unique(origins.boxes, axis=0).tolist() == [[0, 0, 40, 30]]
    assert origins.numbers[origins.photo].tolist() == list(range(1, 21))
    assert origins.pictures is not None
    assert origins.pictures.frames[0].tolist() == [0, 0, 40, 30]


def test_a_method_that_keeps_no_cells_has_none(tmp_path: Path) -> None:
    made = built(tmp_path, method={"kind": "gaussian"})
    assert made.origins is None
    assert "origins.pictures" not in made.tensors().origins


def test_folds_and_lists_do_not_lose_them(tmp_path: Path) -> None:
    """A bank with lists, which are made after the fit."""
    made = built(tmp_path, [photo(n) for n in range(24)], method=coreset(1.0))
    assert isinstance(made.method, Knn)
    np.testing.assert_allclose(means(tmp_path, origins_of(made)), bank_of(made).vectors, atol=NEAR)
    assert made.method.settings.search.kind == "lists"

"""Damage drawn on good photos: the same every time, on the product, and the mask says where."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from typer import Typer
from typer.testing import CliRunner

from bench.cartons import (
    AREA_BOUNDS,
    DEFECTS,
    CartonsError,
    Photo,
    Product,
    Record,
    Scene,
    build,
    contact_sheet,
    damage,
    dataset,
    finish,
    plan,
    polygon_mask,
    read_photo,
)
from bench.cartons.__main__ import main
from bench.cartons.painter import Painter
from tests.support import SHARED

REAL = SHARED / "data" / "grocery_cartons"
COLOURS = {"000": (40, 140, 60), "001": (200, 60, 50)}
SIDE = 96


def carton(sku: str, number: int, side: int = SIDE) -> Photo:
    """A printed box with a white cap in front of a noisy shelf."""
    rng = np.random.default_rng([int(sku), number])
    image = rng.integers(60, 150, (side, side, 3)).astype(float)
    image = ndimage.gaussian_filter(image, (1.0, 1.0, 0))
    left, top = side * 0.32 + rng.integers(-2, 3), side * 0.12 + rng.integers(-2, 3)
    y, x = np.mgrid[:side, :side].astype(float)
    box = (x > left) & (x < left + 0.42 * side) & (y > top) & (y < top + 0.76 * side)
    image[box] = COLOURS[sku]
    print_lines = box & (np.abs(y - 0.55 * side) < 0.16 * side) & (y % 8 < 3)
    image[print_lines] = (240, 235, 220)
    image[np.hypot(x - left - 0.21 * side, y - top - 0.09 * side) < 0.07 * side] = 245
    return np.asarray(np.clip(image + rng.normal(0, 3, image.shape), 0, 255), dtype=np.uint8)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("source")
    for split, first, count in (("train", 1, 4), ("test", 501, 10)):
        folder = root / "box" / split / "good"
        folder.mkdir(parents=True)
        for sku in COLOURS:
            for number in range(first, first + count):
                Image.fromarray(carton(sku, number)).save(folder / f"{sku}{number:03d}.jpg")
    return root


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    out = tmp_path_factory.mktemp("built") / "set"
    return out, build(source, out, seed=0)


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def damaged_files(out: Path) -> list[tuple[str, Path, Path]]:
    """(kind, photo, mask) of every damaged photo."""
    return [
        (kind, photo, out / "box" / "ground_truth" / kind / f"{photo.stem}_mask.png")
        for kind in DEFECTS
        for photo in sorted((out / "box" / "test" / kind).iterdir())
    ]


def scene(side: int = 128) -> Scene:
    """A scene whose product is known."""
    corners = np.array([(0.32, 0.12), (0.74, 0.12), (0.74, 0.88), (0.32, 0.88)]) * side
    product = Product(polygon_mask(corners, (side, side)).astype(float), corners)
    photo, donor = carton("000", 1, side).astype(float), carton("001", 2, side).astype(float)
    return Scene(photo, product, donor, product)


def test_layout_and_counts(source: Path, built: tuple[Path, list[Record]]) -> None:
    out, records = built
    counts = Counter(record.kind for record in records)
    assert counts == {"good": 10, **dict.fromkeys(DEFECTS, 2)}
    for kind, count in counts.items():
        assert len(list((out / "box" / "test" / kind).iterdir())) == count
    assert len(damaged_files(out)) == 10
    train = {p.name: p.read_bytes() for p in (out / "box/train/good").iterdir()}
    assert train == {p.name: p.read_bytes() for p in (source / "box/train/good").iterdir()}


def test_masks_are_where_the_photo_changed(source: Path, built: tuple[Path, list[Record]]) -> None:
    for kind, file, mask_file in damaged_files(built[0]):
        original = read_photo(source / "box/test/good" / f"{file.stem}.jpg").astype(int)
        difference = np.abs(read_photo(file).astype(int) - original).max(-1)
        mask = read_photo(mask_file)[..., 0]
        assert set(np.unique(mask)) == {0, 255}
        assert difference[mask == 0].max() == 0, kind
        assert (difference[mask == 255] > 0).mean() > 0.85, kind


def test_areas_lie_in_their_bounds(built: tuple[Path, list[Record]]) -> None:
    low, high = AREA_BOUNDS
    areas = [record.area for record in built[1] if record.kind != "good"]
    assert all(low <= area <= high for area in areas), areas


def test_good_test_photos_are_untouched_and_stored_like_the_damaged(
    source: Path, built: tuple[Path, list[Record]]
) -> None:
    for file in (built[0] / "box/test/good").iterdir():
        original = read_photo(source / "box/test/good" / f"{file.stem}.jpg")
        assert np.array_equal(read_photo(file), original)
    assert {p.suffix for p in (built[0] / "box/test").rglob("*") if p.is_file()} == {".png"}


def test_same_seed_same_damage(source: Path, built: tuple[Path, list[Record]]) -> None:
    kind, file, mask_file = damaged_files(built[0])[0]
    made = Painter(source, seed=0).paint(source / "box/test/good" / f"{file.stem}.jpg", kind)
    assert np.array_equal(made.photo, read_photo(file))
    assert np.array_equal(made.mask, read_photo(mask_file)[..., 0] > 0)


@pytest.mark.slow
def test_same_seed_same_bytes(
    source: Path, built: tuple[Path, list[Record]], tmp_path: Path
) -> None:
    build(source, tmp_path / "again", seed=0)
    assert contents(tmp_path / "again") == contents(built[0])


def test_a_second_run_changes_nothing(source: Path, built: tuple[Path, list[Record]]) -> None:
    out, records = built
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    assert build(source, out, seed=0) == records
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before
    assert [p.name for p in out.parent.iterdir()] == [out.name]  # nothing left beside it


def test_other_code_is_another_data_set(
    source: Path, built: tuple[Path, list[Record]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "cartons"
    shutil.copytree(Path(dataset.__file__).parent, package)
    stored, _ = dataset.read_records(built[0])
    monkeypatch.setattr(dataset, "__file__", str(package / "dataset.py"))
    assert dataset.fingerprint(source, ["box"], 0) == stored
    with (package / "caps.py").open("a") as file:
        file.write("# other\n")
    assert dataset.fingerprint(source, ["box"], 0) != stored


def test_every_sku_shows_several_defects() -> None:
    paths = [Path(f"{sku:03d}{number:03d}.jpg") for sku in range(4) for number in range(11)]
    kinds = plan(paths, "box", seed=3)
    by_sku: dict[str, set[str]] = defaultdict(set)
    for path, kind in kinds.items():
        by_sku[path.stem[:3]].add(kind)
    assert all(shown == {"good", *DEFECTS} for shown in by_sku.values())
    assert plan(paths[::-1], "box", seed=3) == kinds
    assert plan(paths, "box", seed=4) != kinds


@pytest.mark.parametrize("kind", list(DEFECTS))
def test_damage_lies_on_the_product(kind: str) -> None:
    at = scene()
    made = damage(at, kind, np.random.default_rng(5))
    near = ndimage.binary_dilation(at.product.surface, iterations=6)
    assert (made.mask & near).sum() > 0.9 * made.mask.sum()


@pytest.mark.parametrize("kind", list(DEFECTS))
def test_another_generator_draws_otherwise(kind: str) -> None:
    if kind == "missing_cap":
        pytest.skip("the cap lies where it lies")
    first, second = (damage(scene(), kind, np.random.default_rng(seed)).mask for seed in (1, 2))
    assert not np.array_equal(first, second)


def test_a_cap_is_found_and_without_one_a_corner_goes() -> None:
    at = scene()
    assert at.cap is not None
    centre, radius = at.cap
    assert np.hypot(centre[0] - 0.53 * 128, centre[1] - 0.21 * 128) < 0.06 * 128
    assert 0.03 * 128 < radius < 0.1 * 128
    capless = Scene(at.rgb, at.product, at.donor, at.donor_product, capped=False)
    mask = damage(capless, "missing_cap", np.random.default_rng(0)).mask
    assert np.nonzero(mask)[0].mean() < 0.5 * 128


def test_invisible_changes_are_undone() -> None:
    photo = carton("000", 1)
    made = finish(photo, photo.astype(float) + 3)
    assert not made.mask.any()
    assert np.array_equal(made.photo, photo)


def test_missing_source(tmp_path: Path) -> None:
    with pytest.raises(CartonsError, match="no such folder"):
        build(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CartonsError, match="no photos"):
        build(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_foreign_folder_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(CartonsError, match="not empty"):
        build(source, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failed_run_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise CartonsError("no")

    monkeypatch.setattr("bench.cartons.painter.Painter.paint", fail)
    with pytest.raises(CartonsError):
        build(source, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_command_line(source: Path, built: tuple[Path, list[Record]], tmp_path: Path) -> None:
    app = Typer()
    app.command()(main)
    sheet = tmp_path / "sheet.png"
    arguments = ["--source", str(source), "--out", str(built[0]), "--contact-sheet", str(sheet)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert read_photo(sheet).shape[0] == len(DEFECTS) * 220
    missing = ["--source", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(app, missing).exit_code == 1


def test_contact_sheet_has_a_row_per_kind(built: tuple[Path, list[Record]], tmp_path: Path) -> None:
    contact_sheet(built[0], tmp_path / "a" / "sheet.png", columns=2, side=50)
    assert read_photo(tmp_path / "a" / "sheet.png").shape == (50 * len(DEFECTS), 100, 3)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real photos are not here")
def test_plan_of_the_real_photos() -> None:
    for category in sorted(p for p in REAL.iterdir() if p.is_dir()):
        paths = sorted((category / "test" / "good").iterdir())
        kinds = Counter(plan(paths, category.name, seed=0).values())
        assert abs(kinds["good"] - len(paths) / 2) < 8
        assert min(kinds[kind] for kind in DEFECTS) >= 10

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from app.core.photo.dataset import read_category
from app.reports.exploration import SAMPLE, Exploration, explore, warnings, write_page
from app.reports.exploration_pictures import sheet
from scripts import explore as script
from tests import drawn
from tests.support import encode, plain, write_category, write_photos


def run(*arguments: str | Path) -> tuple[int, str, str]:
    program = typer.Typer()
    program.command()(script.main)
    result = CliRunner().invoke(program, list(map(str, arguments)))
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


def found_in(root: Path, name: str = "can") -> Exploration:
    return explore(read_category(root, name))


def texts(found: Exploration) -> str:
    return "\n".join(warnings(found))


def page(found: Exploration, folder: Path) -> str:
    return write_page(folder, [found]).read_text(encoding="utf-8")


@pytest.fixture
def can(tmp_path: Path) -> Path:
    return write_category(tmp_path)


def write_mask(can: Path, stem: str, box: tuple[int, int, int, int], size: tuple[int, int]) -> None:
    folder = can / "ground_truth" / "red_spot"
    folder.mkdir(parents=True, exist_ok=True)
    mask = Image.new("L", size)
    mask.paste(255, box)
    mask.save(folder / f"{stem}_mask.png")


def test_counts_per_folder(can: Path) -> None:
    places = {place: len(photos) for place, photos in found_in(can.parent).places().items()}
    assert places == {"train/good": 10, "test/good": 4, "test/blue_spot": 1, "test/red_spot": 2}


def test_brightness_and_contrast_are_those_of_the_grey_values(tmp_path: Path) -> None:
    half = plain(100)
    half.paste((200, 200, 200), (0, 0, 20, 30))
    write_photos(tmp_path / "can" / "train" / "good", [plain(100), half])
    flat, striped = found_in(tmp_path).photos
    assert (flat.brightness, flat.contrast) == (100, 0)
    assert striped.brightness == pytest.approx(150, abs=1)
    assert striped.contrast == pytest.approx(50, abs=1)


def test_a_file_in_train_and_test_is_a_leak(can: Path, tmp_path: Path) -> None:
    copied = can / "train" / "good" / "photo_000.png"
    (can / "test" / "good" / "copy.png").write_bytes(copied.read_bytes())
    found = found_in(can.parent)
    assert [[p.name for p in photos] for photos in found.leaks()] == [
        ["train/good/photo_000.png", "test/good/copy.png"]
    ]
    assert "1 files lie in both train and test" in texts(found)
    line = "train and test share the same file: `train/good/photo_000.png`, `test/good/copy.png`"
    assert line in page(found, tmp_path / "report")


def test_a_file_twice_in_train_is_a_duplicate_and_no_leak(can: Path) -> None:
    folder = can / "train" / "good"
    (folder / "again.png").write_bytes((folder / "photo_003.png").read_bytes())
    found = found_in(can.parent)
    assert (len(found.duplicates()), found.leaks()) == (1, [])
    assert "both train and test" not in texts(found)


def test_a_file_with_both_labels_is_named(can: Path) -> None:
    defective = can / "test" / "red_spot" / "photo_000.png"
    (can / "test" / "good" / "same.png").write_bytes(defective.read_bytes())
    assert "1 files are labelled both good and defective" in texts(found_in(can.parent))


def test_broken_files_are_named_wherever_they_lie(tmp_path: Path) -> None:
    folder = tmp_path / "can" / "train" / "good"
    write_photos(folder, [plain(i % 250, (4, 4)) for i in range(SAMPLE + 20)])
    whole = encode(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)))
    (folder / "photo_007_cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "photo_008_text.jpg").write_bytes(b"no image")
    found = found_in(tmp_path)
    assert {p.image.path.name for p in found.unreadable()} == {
        "photo_007_cut.png",
        "photo_008_text.jpg",
    }
    assert SAMPLE - 2 <= len(found.measured("train good")) <= SAMPLE
    text = page(found, tmp_path / "report")
    assert "unreadable: `train/good/photo_008_text.jpg`: this is text, not an image" in text


def test_ignored_files_are_counted(can: Path) -> None:
    (can / "train" / "good" / "Thumbs.db").write_bytes(b"x")
    assert found_in(can.parent).ignored == 1


@pytest.mark.parametrize(("n", "warned"), [(98, True), (99, False)])
def test_few_good_images_are_warned_of(tmp_path: Path, n: int, warned: bool) -> None:
    write_photos(tmp_path / "can" / "train" / "good", [plain(i, (4, 4)) for i in range(n)])
    assert ("1 % false alarms" in texts(found_in(tmp_path))) is warned


@pytest.mark.parametrize(
    ("size", "warned"), [((44, 30), False), ((90, 60), True), ((30, 40), True)]
)
def test_very_different_sizes_are_warned_of(can: Path, size: tuple[int, int], warned: bool) -> None:
    write_photos(can / "test" / "good", [plain(9, size)], first=50)
    assert ("very different sizes" in texts(found_in(can.parent))) is warned


def test_a_format_that_only_the_test_split_has_is_warned_of(can: Path) -> None:
    (can / "test" / "blue_spot" / "x.jpg").write_bytes(encode(plain(3).convert("L"), "JPEG"))
    assert "formats that train/good has not: JPEG L" in texts(found_in(can.parent))


def test_skus_are_read_from_names(tmp_path: Path) -> None:
    for folder, names in (
        ("train/good", ("001000", "001001", "002000")),
        ("test/good", ("003000",)),
    ):
        for path, name in zip(
            write_photos(tmp_path / "can" / folder, [plain(len(n)) for n in names]),
            names,
            strict=True,
        ):
            path.rename(path.with_stem(name))
    found = found_in(tmp_path)
    assert found.skus() == {"train": {"001", "002"}, "test": {"003"}}
    assert "1 SKUs of the test split are not in train/good: 003" in texts(found)
    assert "| 2 / 1 / 0 |" in page(found, tmp_path / "report")


def test_a_copy_does_not_hide_the_skus(tmp_path: Path) -> None:
    folder = tmp_path / "can/train/good"
    photos = [plain(grey) for grey in range(50, 90)]
    for i, path in enumerate(write_photos(folder, photos)):
        path.rename(path.with_stem(f"{i // 10:03}{i % 10:03}"))
    (folder / "000001 (1).png").write_bytes((folder / "000001.png").read_bytes())
    assert found_in(tmp_path).skus()["train"] == {"000", "001", "002", "003"}


def test_names_without_skus_have_none(can: Path) -> None:
    assert found_in(can.parent).skus() == {}


def test_the_masked_share_is_measured(can: Path) -> None:
    write_mask(can, "photo_000", (0, 0, 20, 15), (40, 30))
    found = found_in(can.parent)
    assert [p.masked for p in found.places()["test/red_spot"]] == [0.25, None]
    assert "2 defective images have no mask" in texts(found)


@pytest.mark.parametrize(
    ("box", "size", "fault"),
    [
        ((0, 0, 5, 5), (20, 20), "20 × 20 pixels, its photo 40 × 30"),
        ((0, 0, 0, 0), (40, 30), "nothing is marked"),
    ],
)
def test_masks_that_do_not_fit_are_named(
    can: Path, tmp_path: Path, box: tuple[int, int, int, int], size: tuple[int, int], fault: str
) -> None:
    write_mask(can, "photo_000", box, size)
    found = found_in(can.parent)
    assert "1 masks cannot be used" in texts(found)
    assert f"`test/red_spot/photo_000.png`: {fault}" in page(found, tmp_path / "report")


def test_brightness_that_tells_the_labels_apart_is_warned_of(tmp_path: Path) -> None:
    for kind, grey in (("good", 150), ("dent", 100)):
        photos = [plain(grey + i, (4, 4)) for i in range(20)]
        write_photos(tmp_path / "can" / "test" / kind, photos)
    assert "lower brightness alone tells defective from good (AUROC 1.00)" in texts(
        found_in(tmp_path)
    )


def test_the_script_writes_pictures_and_a_page(can: Path, tmp_path: Path) -> None:
    write_mask(can, "photo_000", (0, 0, 20, 15), (40, 30))
    report = tmp_path / "report"
    code, out, err = run("--data", can.parent, "--report", report)
    assert code == 0, err
    assert "explore.md" in out
    assert "10 good images: --alpha 0.091 at least; 1 % false alarms need 99" in err
    text = (report / "explore.md").read_text(encoding="utf-8")
    assert "| test/red_spot | 2 | 1 | 40 × 30 |" in text
    assert {p.name for p in report.iterdir()} == {
        "can_explore.png",
        "can_stats.png",
        "explore.md",
    }
    for kind in ("explore", "stats"):
        assert f"(can_{kind}.png)" in text
        with Image.open(report / f"can_{kind}.png") as picture:
            picture.load()
            assert min(picture.size) > 300


def test_what_counts_is_told_with_the_rate_that_it_carries(tmp_path: Path) -> None:
    folder = tmp_path / "can/train/good"
    write_photos(folder, [plain(60 + min(i, 44)) for i in range(48)])
    for name in ("x.png", "y.png"):
        (folder / name).write_bytes(b"broken")
    code, out, err = run("--data", tmp_path, "--report", tmp_path / "report")
    assert code == 0, err
    said = " ".join(err.split())
    assert "45 of 50 good images count (3 copies, 2 unreadable): --alpha 0.022 at least" in said
    assert "50 (45 count)" in out
    page = (tmp_path / "report/explore.md").read_text(encoding="utf-8")
    assert "| can | 50 (45 count) | 0 | 0 | – | 2 | 0 | 3 | 2 | 0 |" in page


def test_the_sheet_outlines_the_mask(can: Path) -> None:
    def outlined(found: Exploration) -> int:
        figure = sheet(found)
        return sum(len(axes.collections) for axes in figure.axes)

    assert outlined(found_in(can.parent)) == 0
    write_mask(can, "photo_000", (0, 0, 20, 15), (40, 30))
    assert outlined(found_in(can.parent)) == 1


def test_a_category_without_any_photo_is_drawn_and_warned_of(tmp_path: Path) -> None:
    (tmp_path / "can" / "train" / "good").mkdir(parents=True)
    code, _, err = run("--data", tmp_path, "--report", tmp_path / "report")
    assert code == 0, err
    assert "0 good images: a bank needs 2; 1 % false alarms need 99" in err


def test_a_root_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    code, _, err = run("--data", tmp_path / "absent", "--report", tmp_path)
    assert code == 1
    assert "no data folder" in err


def test_exploring_twice_gives_the_same(can: Path) -> None:
    first, second = (found_in(can.parent) for _ in range(2))
    assert first == replace(second)


def test_copies_among_training_photos_are_told(tmp_path: Path) -> None:
    base = drawn.make(tmp_path, train=6, good=1, bad=1)
    assert not any(
        "copies" in text for text in warnings(explore(read_category(tmp_path, "carton")))
    )
    drawn.photo(2)[0].save(base / "train" / "good" / "zz.jpg", quality=90)
    found = explore(read_category(tmp_path, "carton"))
    told = "train/good: 1 of 7 photos are copies of others and count once: 002.png = zz.jpg"
    assert told in list(warnings(found))

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.core.building.groups import group, group_rule, skus
from app.core.building.groups_file import GroupsFile
from app.core.errors import DatasetError
from app.core.features.sample import Sample

SKUS = [Path(f"good/{sku:03}{i:03}.jpg") for sku in range(4) for i in range(1, 9)]
FRAMES = [Path(f"good/{n:06}.png") for n in range(30, 5_490, 30)]
# One photo each of the second and third SKU: the numbers cannot tell.
UNCLEAR = [Path(f"good/{n:06}.png") for n in (*range(1_001, 1_009), *range(2_500, 2_508))]


def samples(labels: list[str], apart: float) -> list[Sample]:
    drawn = np.random.default_rng(0)
    centres = {label: drawn.normal(0, apart, 4) for label in sorted(set(labels))}
    cells = [(centres[label] + drawn.normal(0, 1, 4)).reshape(1, 1, 4) for label in labels]
    return [Sample(c.astype(np.float32), 0, 0, (1, 1)) for c in cells]


def test_skus_that_the_numbers_show_are_groups() -> None:
    found = group(SKUS, "auto")
    assert (found.by, found.count) == ("sku", 4)
    assert found.sentence.startswith("4 groups of 32 photos by SKU")


def test_frames_of_a_film_are_no_groups() -> None:
    found = group(FRAMES, "auto")
    assert (found.by, found.count) == ("none", len(FRAMES))
    assert "run on" in found.sentence


@pytest.mark.parametrize(("apart", "by"), [(20.0, "sku"), (0.0, "none")])
def test_where_numbers_leave_a_doubt_the_features_decide(apart: float, by: str) -> None:
    found = group(UNCLEAR, "auto", samples([p.stem[:3] for p in UNCLEAR], apart))
    assert found.by == by
    assert group(UNCLEAR, "auto").by == "none"


@pytest.mark.parametrize("odd_one", ["abc", "0010012", "00100a"])
def test_one_other_name_leaves_each_photo_a_group_of_its_own(odd_one: str) -> None:
    paths = [*SKUS, Path(f"{odd_one}.jpg")]
    assert group(paths, "auto").count == len(paths)
    assert skus(paths) is None
    with pytest.raises(DatasetError, match=f"1 of 33 .*{odd_one}"):
        group(paths, "sku")


def test_one_stem_twice_is_two_photos() -> None:
    paths = [Path("a.jpg"), Path("a.png"), Path("x/a.png")]
    assert group(paths, "auto").count == 3


def test_dated_folders_are_told_and_not_used() -> None:
    paths = [Path(f"good/2026-11-0{day}/{i}.png") for day in (1, 2, 3) for i in range(4)]
    found = group(paths, "auto")
    assert found.count == 12
    assert "3 folders (2026-11-01, 2026-11-02, 2026-11-03)" in found.sentence


def test_any_name_of_a_photo_tells_its_sku() -> None:
    kept = [Path("good/000001 (1).jpg"), *SKUS[1:]]
    shown_by = [[kept[0], SKUS[0]], *([path] for path in SKUS[1:])]
    assert group(kept, "auto").by == "none"
    for rule in ("auto", "sku"):
        found = group(kept, group_rule(rule), shown_by=shown_by)
        assert (found.by, found.count) == ("sku", 4)


def test_what_is_asked_for_is_done() -> None:
    assert group(SKUS, "none").count == 32
    assert group(FRAMES, "sku").count == 6
    assert group_rule("sku") == "sku"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_names_photos_or_the_end_of_their_paths(tmp_path: Path) -> None:
    text = 'file,group\na.png,first\nsecond day/a.png, "second, b"\nb.png,first\n\nother.png,x\n'
    text = text.replace(', "', ',"')
    paths = [Path(f"good/{name}") for name in ("a.png", "second day/a.png", "b.png", "c.png")]
    found = group(paths, group_rule(str(written(tmp_path, text))))
    first, second, third, alone = found.names
    assert first == third == "group first"
    assert second == "group second, b"
    assert found.count == 3
    assert alone not in (first, second)
    assert "names 3 of them" in found.sentence


def test_any_name_of_a_photo_tells_its_group_in_the_file(tmp_path: Path) -> None:
    rule = group_rule(str(written(tmp_path, "a.png,first\nb.png,first\nc.png,second\n")))
    kept = [Path("good/a saved again.png"), Path("good/b.png"), Path("good/c.png")]
    shown_by = [[kept[0], Path("good/a.png")], [kept[1]], [kept[2]]]
    found = group(kept, rule, shown_by=shown_by)
    assert found.names == ("group first", "group first", "group second")
    assert "names 3 of them" in found.sentence


@pytest.mark.parametrize(
    "text",
    [
        "a.png;1\nb, c.png;2\n",
        "\ufefffile;group\r\na.png;1\r\n\r\nb, c.png;2\r\n",
        "a.png\t1\nb, c.png\t2\n",
        'a.png,1\n"b, c.png",2\n',
    ],
)
def test_cells_are_separated_as_spreadsheets_do(tmp_path: Path, text: str) -> None:
    assert GroupsFile.read(written(tmp_path, text)).groups == {"a.png": "1", "b, c.png": "2"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a.png,1\nb.png\n", "line 2: expected a file name and a group"),
        ("a.png,1\nb.png,1,2\n", "line 2: expected"),
        ("a.png,1\n\na.png,2\n", "line 3: a.png is in two groups, 1 and 2"),
        ("a.png,1\nb.png,\n", "line 2: expected"),
        ('a.png,1\n"b.png,1\n', "line 2: no CSV"),
        ("\na.png;1\nb.png;\n", "line 3: expected .*separated by a comma"),
        ("file,group\n", "names no photo"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_its_line(
    tmp_path: Path, text: str, fault: str
) -> None:
    with pytest.raises(DatasetError, match=fault):
        GroupsFile.read(written(tmp_path, text))


def test_a_file_that_is_not_there_or_fits_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"skus: give auto, visit, sku, none or a CSV file"):
        group_rule("skus")
    other = GroupsFile.read(written(tmp_path, "x.png,1\n"))
    with pytest.raises(DatasetError, match="names none of the 32 photos"):
        group(SKUS, other)


BURSTS = [Path(f"good/{n:04}.jpg") for n in range(1, 81)]  # 20 visits of four photos
OF_BURSTS = samples([f"{n // 4:02}" for n in range(80)], 8.0)


def test_visits_are_taken_where_they_are_enough_for_the_rate() -> None:
    visits = group(BURSTS, "auto", OF_BURSTS).count
    assert 15 <= visits <= 20
    enough = group(BURSTS, "auto", OF_BURSTS, rate=1 / (visits + 1))
    assert (enough.by, enough.count) == ("visit", visits)
    few = group(BURSTS, "auto", OF_BURSTS, rate=1 / (visits + 2))
    assert (few.by, few.count) == ("none", 80)
    assert f"{visits} visits are told by" in few.why
    assert f"needs {visits + 1}; --groups visit" in few.why


def test_visits_can_be_asked_for() -> None:
    assert group_rule("visit") == "visit"
    assert group(BURSTS, "visit", OF_BURSTS, rate=0.001).by == "visit"
    one_by_one = samples([str(n) for n in range(80)], 0.0)
    with pytest.raises(DatasetError, match="--groups visit: no visits are proven"):
        group(BURSTS, "visit", one_by_one)


def test_of_too_few_visits_to_skus_the_skus_stay() -> None:
    paths = [Path(f"good/{n // 20:03}{n % 20 + 1:03}.jpg") for n in range(80)]
    visits = group(paths, "auto", OF_BURSTS)
    assert visits.by == "visit"
    found = group(paths, "auto", OF_BURSTS, rate=0.01)
    assert (found.by, found.count) == ("sku", 4)
    assert f"{visits.count} visits" in found.sentence

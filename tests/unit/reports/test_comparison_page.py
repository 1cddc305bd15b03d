from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from app.core.evaluating.comparison import Comparison, compare
from app.core.evaluating.outcome import Outcome
from app.core.photo.dataset import LabelledImage
from app.reports.comparison_page import Compared, Shown, Tile, render, write_figures
from app.reports.comparison_pictures import SIDE, thumbnail
from app.reports.comparison_table import cells, columns, size
from tests.support import encode, plain, textured
from tests.unit.core.evaluating.outcomes import DRAWN, drawn_split, outcome, split

HOSTILE = "<img src=x onerror=alert('$x_{$')>&"
SPLIT = split(4, 2, kind=HOSTILE)
JPEG = encode(plain(90), "JPEG")


def compared(category: str = "can") -> Compared:
    """Two presets that could be evaluated and one that could not, and a photo they dispute."""
    right = outcome("right", SPLIT, {False: (0.1, 0.2, 0.3, 0.6), True: (0.8, 0.9)})
    wrong = outcome("wrong", SPLIT, {False: (0.1, 0.2, 0.3, 0.7), True: (0.05, 0.15)})
    outcomes = (right, wrong, Outcome("faulty", fault=f"no weights: {HOSTILE}"))
    tiles = (
        Tile("right", 1.0, 0.9, 0.5, True, JPEG),
        Tile("wrong", 0.25, 0.15, 0.5, False, None),
    )
    shown = Shown(LabelledImage(Path(f"{HOSTILE}.png"), HOSTILE), JPEG, tiles)
    figures = compare(split(4, 2, category, HOSTILE), outcomes)
    return Compared(figures, outcomes, (shown,))


def good_only(n_good: int) -> Compared:
    photos = split(n_good, 0)
    found = outcome("right", photos, {False: [0.1] * n_good})
    return Compared(compare(photos, [found]), (found,), ())


def on_drawn() -> Compared:
    """Two presets on drawn damage, and a drawn photo that they dispute."""
    good = (0.1, 0.2, 0.3, 0.6)
    scores = {"right": (0.7,) * 8, "wrong": (0.05,) * 8}
    photos = drawn_split()
    found = tuple(outcome(n, photos, {False: good, True: s}) for n, s in scores.items())
    shown = Shown(photos.test[-1], JPEG, (Tile("right", 1.0, 0.7, 0.5, True, JPEG),))
    return Compared(compare(photos, found, DRAWN, ["a note"]), found, (shown,))


def page(*parts: Compared) -> str:
    return render(parts, {"right": "the right one", "wrong": HOSTILE, "faulty": "?"})


def words(html: str) -> str:
    return " ".join(" ".join(ElementTree.fromstring(html).itertext()).split())


@pytest.fixture(scope="module")
def html() -> str:
    return page(compared())


@pytest.mark.parametrize(
    "parts", [(compared(),), (compared(), compared("box")), (good_only(3),), (on_drawn(),)]
)
def test_the_page_is_well_formed(parts: tuple[Compared, ...]) -> None:
    root = ElementTree.fromstring(page(*parts))
    assert root.tag == "html"
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))


def test_the_page_needs_no_other_file(html: str) -> None:
    root = ElementTree.fromstring(html)
    for element in root.iter():
        assert element.tag.rpartition("}")[2] not in {"script", "link", "iframe", "object"}
        for name, value in element.attrib.items():
            if name.rpartition("}")[2] in {"src", "href", "srcset", "data"}:
                assert value.startswith(("data:image/", "#"))
    assert not re.search(r"url\((?!#)|@import", html)


def test_what_pictures_refer_to_is_there(html: str) -> None:
    root = ElementTree.fromstring(html)
    ids = {element.attrib.get("id") for element in root.iter()}
    wanted = {
        value[1:]
        for element in root.iter()
        for name, value in element.attrib.items()
        if name.endswith("href")
    } | set(re.findall(r"url\(#([^)]+)\)", html))
    assert wanted
    assert wanted <= ids


def test_names_are_shown_as_they_are(html: str) -> None:
    assert "<img src=x" not in html
    assert words(html).count(HOSTILE) == 4  # a preset's words, a fault's, a defect type, a file


def test_the_page_opens_with_the_finding(html: str) -> None:
    lead = ElementTree.fromstring(html).find(".//p[@class='lead']")
    assert lead is not None
    assert lead.text == compared().comparison.finding.sentence


def test_a_faulty_preset_has_a_line_that_says_why(html: str) -> None:
    assert "faulty Not compared: no weights" in words(html)


def test_one_histogram_for_each_preset_and_one_picture_of_curves(html: str) -> None:
    root = ElementTree.fromstring(html)
    labels = [e.attrib["aria-label"] for e in root.iter() if e.tag.endswith("svg")]
    assert labels == [
        "ROC curves of the presets on can",
        "scores of right on can",
        "scores of wrong on can",
    ]


def test_pictures_take_the_pages_ink(html: str) -> None:
    assert "currentColor" in html
    assert "#222222" not in html.lower()


def test_a_disputed_photo_shows_each_presets_view(html: str) -> None:
    text = words(html)
    assert "right rank 100 %, anomalous: right" in text
    assert "wrong rank 25 %, normal: wrong" in text
    assert "no map: one vector" in text
    assert html.count("data:image/jpeg;base64,") == 2


def test_several_categories_have_a_sentence_each() -> None:
    text = words(page(compared(), compared("box")))
    assert "mean AUROC over 2 categories" in text
    for category in ("can", "box"):
        assert compared(category).comparison.finding.sentence in text


@pytest.mark.parametrize("n_good", [0, 4])
def test_without_defects_the_page_says_what_it_can(n_good: int) -> None:
    text = words(page(good_only(n_good)))
    assert "accuracy needs labelled photos" in text
    assert "Accuracy has no column here" in text
    assert "false alarms promised" in text
    assert ("false alarms observed" in text) is (n_good > 0)
    assert "ROC curves" not in text


def test_drawn_damage_is_said_to_be_drawn_wherever_figures_stand() -> None:
    found = on_drawn()
    text = words(page(found))
    assert "Drawn damage: " + DRAWN.sentence in text
    assert "a note." in text
    assert "drawn damage (8)" in text  # the histograms' legends
    assert "defective (8)" not in text
    assert "held out: 4 good photos, and 8 damages drawn on them" in text
    assert "scar (drawn) 003_b.png" in text
    assert found.comparison.finding.sentence in text
    heads = columns(found.comparison)
    assert heads[1] == "AUROC on drawn damage (95 %)"
    assert "drawn damage found" in heads
    assert "recall at threshold" not in heads


def test_defects_that_are_stored_are_not_said_to_be_drawn(html: str) -> None:
    assert "drawn" not in words(html)


def test_columns_are_those_that_can_be_filled() -> None:
    heads = columns(compared().comparison)
    assert heads[:3] == ["preset", "AUROC (95 %)", "difference to right (95 %)"]
    assert "AUPRO" not in heads  # no masks
    assert "threshold" in columns(good_only(4).comparison)


def test_a_line_has_a_cell_for_each_column() -> None:
    comparison = compared().comparison
    first, second, faulty = (cells(row, comparison) for row in comparison.rows)
    assert len(first) == len(second) == len(faulty) == len(columns(comparison))
    assert first[1:3] == ["1.000 (0.158 to 1.000)", "–"]
    assert second[2].startswith("−")
    assert faulty[1:] == ["–"] * (len(faulty) - 1)
    assert first[-3:] == ["10.0 (1.00 ×)", "2.3 MB", "12.3 s, built"]


def test_masks_give_pixel_columns() -> None:
    comparison = compared().comparison
    row = comparison.rows[0]
    assert row.evaluation
    measured = row.evaluation.model_copy(update={"pixel_auroc": 0.9876, "aupro": 0.5})
    with_masks = comparison.model_copy(
        update={"rows": (row.model_copy(update={"evaluation": measured}), *comparison.rows[1:])}
    )
    line = dict(zip(columns(with_masks), cells(with_masks.rows[0], with_masks), strict=True))
    assert (line["pixel AUROC"], line["AUPRO"]) == ("0.988", "0.500")


@pytest.mark.parametrize(("n", "text"), [(999, "1 kB"), (812_345, "812 kB"), (7_300_000, "7.3 MB")])
def test_sizes_are_those_that_people_read(n: int, text: str) -> None:
    assert size(n) == text


def test_figures_are_a_list_of_comparisons(tmp_path: Path) -> None:
    write_figures(tmp_path / "compare.json", [compared(), compared("box")])
    found = json.loads((tmp_path / "compare.json").read_text(encoding="utf-8"))
    assert [Comparison.model_validate(one).category for one in found] == ["can", "box"]


def test_a_thumbnail_keeps_the_shape_and_is_small(tmp_path: Path) -> None:
    path = tmp_path / "small.jpg"
    path.write_bytes(thumbnail(encode(textured(1200, 600))))
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("JPEG", (SIDE, SIDE // 2))

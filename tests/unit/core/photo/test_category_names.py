from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import DatasetError
from app.core.photo.category_names import among, is_category_name, made_name


@pytest.mark.parametrize(
    ("folder", "category"),
    [
        ("drink_can", "drink_can"),
        ("drink-can", "drink-can"),
        ("Drink Can", "drink_can"),
        ("Food_Box", "food_box"),
        ("pcb1", "pcb1"),
        ("Drink.Can (new)", "drink_can_new"),
        ("  Café  ", "cafe"),
        ("Größe 2", "grosse_2"),
        ("7UP", "7up"),
        ("a" * 64, "a" * 64),
        ("a_", "a_"),
    ],
)
def test_the_category_that_a_folders_name_stands_for(folder: str, category: str) -> None:
    assert made_name(folder) == category


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("饮料 can", "饮料"),
        ("_old", "starts with _ or -"),
        ("-x", "starts with _ or -"),
        ("...", "no letter a-z and no digit"),
        ("A" * 65, "65 characters"),
        (os.fsdecode(b"M\xfcller"), r"\xfc"),
    ],
)
def test_a_name_that_cannot_be_made_says_why(folder: str, why: str) -> None:
    with pytest.raises(DatasetError) as caught:
        made_name(folder)
    assert why in str(caught.value)


@given(st.text())
def test_what_is_made_is_a_category_name(folder: str) -> None:
    try:
        made = made_name(folder)
    except DatasetError:
        return
    assert is_category_name(made)


@pytest.mark.parametrize("name", ["milk_carton", "Milk Carton", "MILK.CARTON", "Mílk carton"])
def test_a_category_is_found_by_a_name_that_stands_for_it(name: str) -> None:
    assert among(name, ["can", "milk_carton"]) == "milk_carton"


@pytest.mark.parametrize("name", ["milk", "", "/milk_carton", "../milk_carton", "牛奶", "m\n"])
def test_what_stands_for_none_of_them_finds_none(name: str) -> None:
    assert among(name, ["can", "milk_carton", "m"]) is None

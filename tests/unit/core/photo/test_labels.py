from __future__ import annotations

import pytest

from app.core.photo.labels import means_good, sounds_defective, sounds_good


@pytest.mark.parametrize("name", ["good", "Good", "OK", "ok", "Normal", " GOOD "])
def test_names_that_mean_good(name: str) -> None:
    assert means_good(name)


@pytest.mark.parametrize("name", ["good_2", "normal parts", "OK-new", "no_defect", "defect free"])
def test_names_that_sound_good_and_do_not_mean_it(name: str) -> None:
    assert (means_good(name), sounds_good(name), sounds_defective(name)) == (False, True, False)


@pytest.mark.parametrize("name", ["bad", "not_ok", "no good", "Broken", "goods damaged", "NG"])
def test_names_that_sound_defective(name: str) -> None:
    assert (sounds_good(name), sounds_defective(name)) == (False, True)


@pytest.mark.parametrize(
    "name", ["abnormal", "opened_goods", "fine_scratch", "dent", "logical_anomalies", "token"]
)
def test_names_of_damage_do_not_sound_good(name: str) -> None:
    assert not means_good(name)
    assert not sounds_good(name)

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import CategoryUnavailable, UnknownCategory, WeightsNotFound
from app.core.features.extractor import Extractor, FeatureSpec
from app.core.features.runtimes import Engine
from app.core.store import artifact as artifacts
from app.service.networks import SharedNetworks
from app.service.registry import BankSource, Unavailable, load_registry
from tests.support import SPEC, bank_of, colour_extractor, encode, make_artifact, plain


class Loader:
    """Counts how often a network is loaded."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[FeatureSpec] = []
        self._error = error

    def __call__(self, spec: FeatureSpec, engine: Engine) -> Extractor:
        self.calls.append(spec)
        if self._error:
            raise self._error
        return colour_extractor(spec)


def damage(models: Path, category: str) -> None:
    version = artifacts.current_version(models / category)
    path = models / category / version / artifacts.BANK
    path.write_bytes(path.read_bytes()[:-1])


def test_every_stored_category_is_loaded(tmp_path: Path) -> None:
    for name in ("can", "box"):
        artifacts.save(tmp_path, make_artifact(name))
    registry = load_registry(tmp_path, Loader())
    assert sorted(registry.detectors) == ["box", "can"]


def test_a_damaged_category_is_unavailable_and_the_others_serve(tmp_path: Path) -> None:
    for name in ("can", "box"):
        artifacts.save(tmp_path, make_artifact(name))
    damage(tmp_path, "can")
    registry = load_registry(tmp_path, Loader())
    assert sorted(registry.detectors) == ["box"]
    with pytest.raises(CategoryUnavailable, match="sha256"):
        registry.detector("can")
    assert registry.detector("box").inspect(encode(plain(100))).verdict == "normal"


def test_several_are_looked_up_at_once_and_what_is_missing_stands_in_its_place(
    tmp_path: Path,
) -> None:
    for name in ("can", "box"):
        artifacts.save(tmp_path, make_artifact(name))
    damage(tmp_path, "can")
    registry = load_registry(tmp_path, Loader())
    found = registry.look_up(["can", "jar", "box"])
    assert list(found) == ["can", "jar", "box"]
    assert isinstance(found["can"], CategoryUnavailable)
    assert isinstance(found["jar"], UnknownCategory)
    assert found["box"] is registry.detector("box")


def test_a_category_that_cannot_be_looked_into_is_unavailable_and_the_others_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built by another user, whose umask keeps it to himself. (Root would see all the same.)"""
    for name in ("can", "box"):
        artifacts.save(tmp_path, make_artifact(name))
    stat = os.stat

    def refused(path: Any, *args: Any, **options: Any) -> os.stat_result:
        if "can" in Path(path).parts[len(tmp_path.parts) : -1]:
            raise PermissionError(errno.EACCES, "Permission denied")
        return stat(path, *args, **options)

    source = BankSource(tmp_path, SharedNetworks(Loader()))
    monkeypatch.setattr(os, "stat", refused)
    registry = source.load_all()
    assert source.names() == ["box", "can"]
    assert isinstance(source.fingerprint("can"), str)
    assert list(registry.detectors) == ["box"]
    entry = registry.entries["can"]
    assert isinstance(entry, Unavailable)


def test_the_reason_names_no_path_of_this_machine(tmp_path: Path) -> None:
    artifacts.save(tmp_path, make_artifact("can"))
    missing = WeightsNotFound(f"nothing at {tmp_path}", public="the weights are not there")
    registry = load_registry(tmp_path, Loader(missing))
    assert registry.entries["can"] == Unavailable("the weights are not there")
    assert registry.failures["can"] == "the weights are not there"


def test_an_unforeseen_error_takes_down_its_category_only(tmp_path: Path) -> None:
    artifacts.save(tmp_path, make_artifact("can"))
    entry = load_registry(tmp_path, Loader(RuntimeError("secret detail"))).entries["can"]
    assert entry == Unavailable("unforeseen RuntimeError while loading")


def test_missing_weights_are_the_reason(tmp_path: Path) -> None:
    artifacts.save(tmp_path, make_artifact("can"))
    registry = load_registry(tmp_path, Loader(WeightsNotFound("no file with the weights")))
    assert registry.entries["can"] == Unavailable("no file with the weights")


def test_an_unknown_category_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnknownCategory, match="'can'"):
        load_registry(tmp_path, Loader()).detector("can")


@pytest.mark.parametrize("there", [True, False])
def test_no_banks_make_an_empty_registry(tmp_path: Path, there: bool) -> None:
    registry = load_registry(tmp_path if there else tmp_path / "absent", Loader())
    assert dict(registry.entries) == {}


def test_files_and_other_names_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("x")
    (tmp_path / "Not A Category").mkdir()
    (tmp_path / ".hidden").mkdir()
    assert dict(load_registry(tmp_path, Loader()).entries) == {}


def test_a_folder_of_other_things_is_no_category(tmp_path: Path) -> None:
    """Such as a second models folder inside the first: it never held a bank of its own."""
    artifacts.save(tmp_path / "demo", make_artifact("can"))
    artifacts.save(tmp_path, make_artifact("box"))
    assert sorted(load_registry(tmp_path, Loader()).entries) == ["box"]


def test_equal_specs_share_one_network(tmp_path: Path) -> None:
    for name in ("can", "box", "bag"):
        artifacts.save(tmp_path, make_artifact(name))
    loader = Loader()
    load_registry(tmp_path, loader)
    assert len(loader.calls) == 1


def test_specs_that_differ_in_dimensions_only_share_one_network(tmp_path: Path) -> None:
    reduced = SPEC.model_copy(update={"selected_dimensions": (0, 1)})
    bank = make_artifact("can")
    artifacts.save(tmp_path, bank)
    vectors = bank_of(bank).vectors[:, :2].copy()
    artifacts.save(tmp_path, make_artifact("box", spec=reduced, vectors=vectors))
    loader = Loader()
    registry = load_registry(tmp_path, loader)
    assert len(loader.calls) == 1
    assert {n: d.method.facts()["dimensions"] for n, d in registry.detectors.items()} == {
        "can": 3,
        "box": 2,
    }


def test_other_weights_are_another_network(tmp_path: Path) -> None:
    artifacts.save(tmp_path, make_artifact("can"))
    other = SPEC.model_copy(update={"weights_sha256": "1" * 64})
    artifacts.save(tmp_path, make_artifact("box", spec=other))
    loader = Loader()
    load_registry(tmp_path, loader)
    assert len(loader.calls) == 2


def test_a_failure_to_load_a_network_is_not_repeated_for_each_category(tmp_path: Path) -> None:
    for name in ("can", "box", "bag"):
        artifacts.save(tmp_path, make_artifact(name))
    loader = Loader(WeightsNotFound("silent network"))
    registry = load_registry(tmp_path, loader)
    assert len(loader.calls) == 1
    assert len(registry.entries) == 3


def test_the_pixel_limit_reaches_the_detectors(tmp_path: Path) -> None:
    artifacts.save(tmp_path, make_artifact("can"))
    detector = load_registry(tmp_path, Loader(), max_pixels=10).detector("can")
    with pytest.raises(Exception, match="limit of 10"):
        detector.inspect(encode(plain(9)))

from __future__ import annotations

import gc
import shutil
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.core.detector import Detector
from app.core.errors import (
    ArtifactError,
    CategoryUnavailable,
    NoSuchVersion,
    NotWritable,
    SignatureError,
    UnknownCategory,
    WeightsNotFound,
)
from app.core.features.extractor import Extractor, FeatureSpec
from app.core.features.runtimes import Engine
from app.core.store import artifact as artifacts
from app.core.store import signing
from app.service.networks import SharedNetworks
from app.service.registry import BankSource, Registry, Unavailable
from app.service.reloads import Reloaded, Reloads
from tests.support import (
    SPEC,
    closed,
    colour_extractor,
    encode,
    make_artifact,
    plain,
    version_number,
)
from tests.unit.core.store.test_signing import OURS, THEIRS, trust

PHOTO = encode(plain(120))
OTHER_WEIGHTS = SPEC.model_copy(update={"weights_sha256": "1" * 64})


@dataclass
class Networks:
    """Loads the network, counts how often, and fails while `error` is set."""

    error: Exception | None = None
    loaded: list[FeatureSpec] = field(default_factory=list)

    def __call__(self, spec: FeatureSpec, _: Engine) -> Extractor:
        self.loaded.append(spec)
        if self.error:
            raise self.error
        return colour_extractor(spec)


@dataclass
class Store:
    """A models folder, and what brings its banks into service."""

    models: Path
    networks: Networks = field(default_factory=Networks)
    seen: list[Registry] = field(default_factory=list)

    def save(self, number: int, category: str = "can", spec: FeatureSpec = SPEC) -> str:
        version = version_number(number)
        artifacts.save(self.models, make_artifact(category, version=version, spec=spec))
        return version

    def damage(self, number: int, category: str = "can") -> None:
        path = self.models / category / version_number(number) / artifacts.BANK
        path.write_bytes(path.read_bytes()[:-1])

    def current(self, category: str = "can") -> str:
        return artifacts.current_version(self.models / category)

    def source(self) -> BankSource:
        return BankSource(self.models, SharedNetworks(self.networks))

    def open(self) -> Reloads:
        return Reloads(self.source(), self.seen.append)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """`can` and `box` in one version each."""
    made = Store(tmp_path)
    for category in ("can", "box"):
        made.save(1, category)
    return made


def serving(reloads: Reloads, category: str = "can") -> str:
    return reloads.registry.detector(category).manifest.bank_version


def outcomes(results: list[Reloaded]) -> dict[str, str]:
    return {result.category: result.outcome for result in results}


def test_a_models_folder_that_cannot_be_read_is_taken_up_when_it_can(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        closed(patched, store.models)
        reloads = store.open()
        assert dict(reloads.registry.entries) == {}
        with pytest.raises(ArtifactError, match="cannot be read: Permission denied") as caught:
            reloads.refresh()
        assert str(store.models) not in caught.value.public
    assert outcomes(reloads.watch()) == {"can": "loaded", "box": "loaded"}


def test_a_models_folder_that_cannot_be_read_for_a_while_takes_nothing_out_of_service(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    reloads = store.open()
    with monkeypatch.context() as patched:
        closed(patched, store.models)
        for ask in (reloads.refresh, reloads.watch):
            with pytest.raises(ArtifactError):
                ask()
    assert sorted(reloads.registry.detectors) == ["box", "can"]


def test_all_there_is_serves_from_the_start(store: Store) -> None:
    reloads = store.open()
    assert sorted(reloads.registry.detectors) == ["box", "can"]
    assert store.seen == [reloads.registry]


def test_a_new_version_is_taken_up_and_the_rest_left_alone(store: Store) -> None:
    reloads = store.open()
    old, box = reloads.registry.detector("can"), reloads.registry.detector("box")
    store.save(2)
    assert reloads.refresh() == [
        Reloaded("box", "unchanged", version_number(1)),
        Reloaded("can", "loaded", version_number(2)),
    ]
    assert serving(reloads) == version_number(2)
    assert reloads.registry.detector("box") is box
    assert store.seen[-1] is reloads.registry
    assert old.inspect(PHOTO).verdict == "normal"  # whoever holds it finishes on it


def test_a_registry_once_taken_never_changes(store: Store) -> None:
    reloads = store.open()
    before = reloads.registry
    store.save(2)
    store.save(1, "bag")
    reloads.refresh()
    assert sorted(before.entries) == ["box", "can"]
    assert before.detector("can").manifest.bank_version == version_number(1)
    with pytest.raises(TypeError):
        before.entries["can"] = before.entries["box"]  # type: ignore[index]


def test_nothing_new_changes_nothing(store: Store) -> None:
    reloads = store.open()
    before = reloads.registry
    assert outcomes(reloads.refresh()) == {"box": "unchanged", "can": "unchanged"}
    assert reloads.registry is before


def test_a_version_that_fails_leaves_the_one_before_and_its_reason(store: Store) -> None:
    reloads = store.open()
    store.save(2)
    store.damage(2)
    (failed,) = [result for result in reloads.refresh() if result.category == "can"]
    assert (failed.outcome, failed.bank_version) == ("failed", version_number(1))
    assert "sha256" in (failed.reason or "")
    assert reloads.registry.failures == {"can": failed.reason}
    assert reloads.registry.detector("can").inspect(PHOTO).verdict == "normal"
    assert store.seen[-1].failures == {"can": failed.reason}
    store.save(3)
    assert outcomes(reloads.refresh())["can"] == "loaded"
    assert (serving(reloads), dict(reloads.registry.failures)) == (version_number(3), {})


def test_current_put_back_by_hand_ends_the_failure(store: Store) -> None:
    reloads = store.open()
    store.save(2)
    store.damage(2)
    reloads.refresh()
    (store.models / "can" / artifacts.CURRENT).write_text(version_number(1))
    assert outcomes(reloads.refresh())["can"] == "unchanged"
    assert dict(reloads.registry.failures) == {}
    assert store.seen[-1] is reloads.registry


def test_a_category_that_never_served_is_tried_again(store: Store) -> None:
    store.damage(1)
    reloads = store.open()
    with pytest.raises(CategoryUnavailable, match="sha256"):
        reloads.registry.detector("can")
    assert outcomes(reloads.refresh()) == {"box": "unchanged", "can": "failed"}
    store.save(2)
    assert outcomes(reloads.refresh())["can"] == "loaded"
    assert reloads.registry.detector("can").inspect(PHOTO).verdict == "normal"


def test_a_bank_that_does_not_pass_its_self_test_is_not_swapped_in(store: Store) -> None:
    reloads = store.open()
    wrong = make_artifact(version=version_number(2))
    wrong.golden.scores[:] = 5
    artifacts.save(store.models, wrong)
    assert outcomes(reloads.refresh())["can"] == "failed"
    assert "golden" in reloads.registry.failures["can"]
    assert serving(reloads) == version_number(1)


def test_an_unforeseen_error_fails_its_category_only(store: Store) -> None:
    reloads = store.open()
    store.save(2, spec=OTHER_WEIGHTS)
    store.save(2, "box")
    store.networks.error = ZeroDivisionError("secret detail")
    assert outcomes(reloads.refresh()) == {"box": "loaded", "can": "failed"}
    assert reloads.registry.failures == {"can": "unforeseen ZeroDivisionError while loading"}
    assert serving(reloads) == version_number(1)


@pytest.mark.parametrize("act", ["refresh", "watch"])
def test_a_new_category_is_taken_up(store: Store, act: str) -> None:
    reloads = store.open()
    store.save(1, "bag")
    assert outcomes(getattr(reloads, act)())["bag"] == "loaded"
    assert list(reloads.registry.entries) == ["bag", "box", "can"]


def test_the_first_category_of_all_is_taken_up(tmp_path: Path) -> None:
    store = Store(tmp_path / "models")
    reloads = store.open()
    assert reloads.watch() == []
    store.save(1)
    assert outcomes(reloads.watch()) == {"can": "loaded"}


def test_a_refresh_removes_what_is_gone(store: Store) -> None:
    reloads = store.open()
    shutil.rmtree(store.models / "box")
    assert reloads.refresh() == [
        Reloaded("box", "removed", None),
        Reloaded("can", "unchanged", version_number(1)),
    ]
    with pytest.raises(UnknownCategory):
        reloads.registry.detector("box")
    assert list(store.seen[-1].entries) == ["can"]
    store.save(2, "box")
    assert outcomes(reloads.watch()) == {"box": "loaded"}


def test_the_watch_takes_up_a_version_once(store: Store) -> None:
    reloads = store.open()
    assert reloads.watch() == []
    store.save(2)
    assert reloads.watch() == [Reloaded("can", "loaded", version_number(2))]
    assert reloads.watch() == []


def test_the_watch_tries_a_version_that_fails_once(store: Store) -> None:
    reloads = store.open()
    store.save(2)
    store.damage(2)
    assert outcomes(reloads.watch()) == {"can": "failed"}
    assert reloads.watch() == []
    assert serving(reloads) == version_number(1)
    assert "sha256" in reloads.registry.failures["can"]
    store.save(3)
    assert outcomes(reloads.watch()) == {"can": "loaded"}
    assert dict(reloads.registry.failures) == {}


def test_the_watch_removes_nothing(store: Store) -> None:
    """A folder may be away for a moment, as when a volume is mounted again."""
    reloads = store.open()
    away = store.models.with_name("away")
    store.models.rename(away)
    assert reloads.watch() == []
    assert sorted(reloads.registry.detectors) == ["box", "can"]
    away.rename(store.models)
    assert reloads.watch() == []
    assert serving(reloads) == version_number(1)


def test_a_current_that_is_away_for_a_moment_changes_nothing_in_the_end(store: Store) -> None:
    reloads = store.open()
    path = store.models / "can" / artifacts.CURRENT
    path.rename(path.with_name("away"))
    assert outcomes(reloads.watch()) == {"can": "failed"}
    assert serving(reloads) == version_number(1)
    path.with_name("away").rename(path)
    assert outcomes(reloads.watch()) == {"can": "unchanged"}
    assert dict(reloads.registry.failures) == {}


def test_a_version_that_comes_while_the_first_ones_load_is_not_missed(store: Store) -> None:
    class Slow(BankSource):
        def load_all(self) -> Registry:
            loaded = super().load_all()
            store.save(2)  # a build ends before the service has started
            return loaded

    reloads = Reloads(Slow(store.models, SharedNetworks(store.networks)), store.seen.append)
    assert serving(reloads) == version_number(1)
    assert outcomes(reloads.watch()) == {"can": "loaded"}
    assert serving(reloads) == version_number(2)


def test_a_rollback_goes_to_the_version_before_and_lasts(store: Store) -> None:
    for number in (2, 3):
        store.save(number)
    reloads = store.open()
    for number in (2, 1):
        assert reloads.activate("can") == Reloaded("can", "loaded", version_number(number))
        assert serving(reloads) == store.current() == version_number(number)
        assert store.seen[-1] is reloads.registry
    assert reloads.watch() == []  # what was left behind is not taken up again
    assert serving(store.open()) == version_number(1)  # after a restart
    assert serving(reloads, "box") == version_number(1)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_any_stored_version_can_be_named(store: Store, number: int) -> None:
    for n in (2, 3):
        store.save(n)
    reloads = store.open()
    reloads.activate("can", version_number(1))
    reloads.activate("can", version_number(number))
    assert serving(reloads) == store.current() == version_number(number)


def test_a_new_build_after_a_rollback_is_taken_up(store: Store) -> None:
    store.save(2)
    reloads = store.open()
    reloads.activate("can")
    store.save(3)
    assert outcomes(reloads.watch()) == {"can": "loaded"}
    assert serving(reloads) == version_number(3)


def unchanged_after(
    store: Store, reloads: Reloads, error: type[Exception], match: str, version: str | None = None
) -> None:
    before, current = reloads.registry, store.current()
    with pytest.raises(error, match=match):
        reloads.activate("can", version)
    assert reloads.registry is before
    assert store.current() == current
    assert reloads.watch() == []


def test_there_may_be_no_older_version(store: Store) -> None:
    unchanged_after(store, store.open(), NoSuchVersion, "no version older than")


def test_a_version_that_is_not_stored_is_refused(store: Store) -> None:
    unchanged_after(store, store.open(), NoSuchVersion, "no version", version_number(9))


def test_a_damaged_older_version_leaves_the_one_that_serves(store: Store) -> None:
    store.save(2)
    store.damage(1)
    unchanged_after(store, store.open(), ArtifactError, "sha256")


def test_an_older_version_without_its_network_leaves_the_one_that_serves(store: Store) -> None:
    """The reason is one of the bank, not an error that nobody foresaw."""
    store.save(1, "bag", OTHER_WEIGHTS)
    store.save(2, "bag")
    reloads = store.open()
    store.networks.error = WeightsNotFound("no file with the weights 1111")
    with pytest.raises(ArtifactError, match="no file with the weights"):
        reloads.activate("bag")
    assert serving(reloads, "bag") == store.current("bag") == version_number(2)


def test_a_folder_that_cannot_be_written_leaves_the_one_that_serves(store: Store) -> None:
    store.save(2)
    (store.models / "can" / ".lock").unlink()
    (store.models / "can" / ".lock").mkdir()
    unchanged_after(store, store.open(), NotWritable, "cannot write")


@pytest.mark.parametrize("version", [None, version_number(1)])
def test_an_unknown_category_cannot_be_rolled_back(store: Store, version: str | None) -> None:
    with pytest.raises(UnknownCategory):
        store.open().activate("bag", version)


def test_a_rollback_heals_a_category_whose_current_version_cannot_serve(store: Store) -> None:
    (store.models / "can" / "current").write_text("torn")
    reloads = store.open()
    with pytest.raises(CategoryUnavailable):
        reloads.registry.detector("can")
    reloads.activate("can")
    assert serving(reloads) == store.current() == version_number(1)


def test_what_served_before_serves_after_a_restart_too(store: Store) -> None:
    """As if the service had never stopped: a version that fails leaves the one before."""
    for number in (2, 3):
        store.save(number)
        store.damage(number)
    reloads = store.open()
    assert serving(reloads) == version_number(1)
    assert "sha256" in reloads.registry.failures["can"]
    assert store.current() == version_number(3)
    assert reloads.watch() == []
    reloads.activate("can", version_number(1))
    assert dict(reloads.registry.failures) == {}
    assert store.current() == version_number(1)


def test_a_version_left_behind_by_a_rollback_does_not_come_back(store: Store) -> None:
    store.save(2)
    artifacts.activate(store.models, "can", version_number(1))
    store.damage(1)
    assert isinstance(store.open().registry.entries["can"], Unavailable)


def test_a_build_that_ends_while_another_version_is_activated_is_not_missed(store: Store) -> None:
    store.save(2)
    reloads = store.open()
    activate = BankSource.activate

    def late(source: BankSource, category: str, version: str) -> None:
        activate(source, category, version)
        store.save(3)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BankSource, "activate", late)
        reloads.activate("can", version_number(1))
    assert outcomes(reloads.watch()) == {"can": "loaded"}
    assert serving(reloads) == version_number(3)


def test_a_rollback_ends_the_failure_of_the_version_left_behind(store: Store) -> None:
    store.save(2)
    reloads = store.open()
    store.save(3)
    store.damage(3)
    reloads.refresh()
    assert reloads.registry.failures
    assert reloads.activate("can").bank_version == version_number(1)
    assert dict(reloads.registry.failures) == {}


def test_a_rollback_asks_for_a_signature_too(store: Store) -> None:
    store.save(2)
    for number, key in ((1, THEIRS), (2, OURS)):
        signing.sign(store.models / "can" / version_number(number), key)
    networks = SharedNetworks(store.networks)
    reloads = Reloads(BankSource(store.models, networks, trusted=trust(OURS)), store.seen.append)
    assert list(reloads.registry.detectors) == ["can"]
    unchanged_after(store, reloads, SignatureError, "not among the trusted")


def test_a_network_that_nothing_uses_any_more_is_forgotten(store: Store) -> None:
    store.save(1, "bag", OTHER_WEIGHTS)
    reloads = store.open()
    runtime = weakref.ref(reloads.registry.detector("bag").extractor.runtime)
    assert [spec.weights_sha256[0] for spec in store.networks.loaded] == ["1", "0"]
    store.seen.clear()
    store.save(2, "bag")
    reloads.refresh()
    assert len(store.networks.loaded) == 2  # the one that the others use
    store.seen.clear()
    gc.collect()
    assert runtime() is None
    reloads.activate("bag")
    assert [spec.weights_sha256[0] for spec in store.networks.loaded] == ["1", "0", "1"]


def test_a_network_in_use_is_loaded_once_over_all_exchanges(store: Store) -> None:
    reloads = store.open()
    for number in (2, 3):
        store.save(number)
        reloads.refresh()
        reloads.watch()
    reloads.activate("can")
    assert len(store.networks.loaded) == 1


def test_a_missing_network_is_asked_for_once_an_exchange_and_again_in_the_next(
    store: Store,
) -> None:
    """Six categories must not wait six times for it; and once it is there it is to be found."""
    store.save(1, "bag")
    store.networks.error = WeightsNotFound("no file with the weights")
    reloads = store.open()
    assert len(store.networks.loaded) == 1
    assert set(outcomes(reloads.refresh()).values()) == {"failed"}
    assert len(store.networks.loaded) == 2
    store.networks.error = None
    assert set(outcomes(reloads.refresh()).values()) == {"loaded"}
    assert len(store.networks.loaded) == 3


def test_many_at_once_leave_one_registry_that_serves_what_is_current(store: Store) -> None:
    reloads = store.open()
    faults: list[BaseException] = []
    begin = threading.Barrier(7)

    def repeat(act: Callable[[int], object]) -> None:
        begin.wait(20)
        try:
            for number in range(8):
                act(number)
        except BaseException as exc:
            faults.append(exc)

    def look(_: int) -> None:
        registry = reloads.registry
        for name in ("can", "box"):
            assert registry.detector(name).inspect(PHOTO).verdict == "normal"

    def roll_back(_: int) -> None:
        with suppress(NoSuchVersion):  # nothing older is left
            reloads.activate("can")

    acts: list[Callable[[int], object]] = [
        lambda number: store.save(10 + number),
        lambda number: store.save(10 + number, "box"),
        lambda _: reloads.refresh(),
        lambda _: reloads.watch(),
        lambda _: reloads.refresh(),
        roll_back,
        look,
    ]
    threads = [threading.Thread(target=repeat, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    reloads.refresh()
    assert list(reloads.registry.entries) == ["box", "can"]
    for name in ("can", "box"):
        assert serving(reloads, name) == store.current(name)
    assert isinstance(store.seen[-1].entries["can"], Detector)
    assert store.seen[-1] is reloads.registry

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from app.core.detector import Detector
from app.core.errors import ArtifactError, WeightsNotFound
from app.core.features.extractor import Extractor, FeatureExtractor, FeatureSpec
from app.core.features.runtimes import Engine, choose_runtime
from app.core.store import artifact as artifacts
from app.core.store.manifest import RuntimeRecord
from app.service.networks import SharedNetworks, by_network, faster_engine
from app.service.registry import BankSource, Unavailable, load_registry
from app.settings import Settings
from app.starting import _networks
from tests.support import (
    SPEC,
    bank_of,
    colour_extractor,
    encode,
    make_artifact,
    make_detector,
    plain,
)
from tests.unit.core.judging.test_golden import FAR, Scaled

OWN, FAST = ("torch", "float32"), ("openvino", "bfloat16")


class Engines:
    """Loads a network per engine, on some of them one whose features are larger by a factor, or
    which fails."""

    def __init__(self, **factors: float | Exception) -> None:
        self.calls: list[Engine] = []
        self._factors = factors

    def __call__(self, spec: FeatureSpec, engine: Engine) -> Extractor:
        self.calls.append(engine)
        factor = self._factors.get(engine[1], 1.0)
        if isinstance(factor, Exception):
            raise factor
        runtime = Scaled(factor, spec)
        runtime.name, runtime.precision = engine
        return FeatureExtractor(spec, runtime)


def store(models: Path, category: str = "can", *, spread: float = 0.2) -> None:
    """A bank whose calibration scores lie so far apart, around 1."""
    scores = [1 - spread, 1.0, 1.0, 1 + spread]
    artifacts.save(models, make_artifact(category, vectors=FAR, scores=scores))


def source(models: Path, engines: Engines, *faster: Engine) -> BankSource:
    """The banks where this engine is faster than that of their calibration."""
    return BankSource(models, SharedNetworks(engines, lambda *_: next(iter(faster), None)))


def test_a_bank_is_served_by_the_faster_engine_where_its_golden_photos_agree(
    tmp_path: Path,
) -> None:
    store(tmp_path)
    engines = Engines(bfloat16=1.001)
    assert source(tmp_path, engines, FAST).detector("can").engine == "openvino bfloat16"
    assert engines.calls == [FAST]  # the other network is not even loaded


@pytest.mark.parametrize("fault", [0.5, 1.1, float("nan"), RuntimeError("no kernel")])
def test_a_bank_that_the_faster_engine_fails_is_served_as_it_was_calibrated(
    tmp_path: Path, fault: float | Exception
) -> None:
    store(tmp_path)
    engines = Engines(bfloat16=fault)
    detector = source(tmp_path, engines, FAST).detector("can")
    assert engines.calls == [FAST, OWN]
    assert detector.engine == "torch float32"
    assert detector.inspect(encode(plain(100))).score == pytest.approx(
        source(tmp_path, Engines()).detector("can").inspect(encode(plain(100))).score
    )


def test_scores_that_hardly_differ_among_good_photos_may_hardly_move(tmp_path: Path) -> None:
    """Within the bank's own bound, and yet much of what its photos differ by."""
    store(tmp_path, spread=0.001)
    detector = source(tmp_path, Engines(bfloat16=1.004), FAST).detector("can")
    assert detector.engine == "torch float32"
    asked = source(tmp_path, Engines(float32=1.004)).detector("can")
    assert asked.engine == "torch float32"  # its own engine is judged by the bound alone


def test_a_bank_that_does_not_agree_anywhere_is_unavailable(tmp_path: Path) -> None:
    store(tmp_path)
    with pytest.raises(ArtifactError, match="golden photos"):
        source(tmp_path, Engines(bfloat16=1.1, float32=1.1), FAST).detector("can")


def test_banks_share_the_faster_network_too(tmp_path: Path) -> None:
    for name in ("can", "box", "bag"):
        store(tmp_path, name)
    engines = Engines()
    load_registry(tmp_path, engines, lambda *_: FAST)
    assert engines.calls == [FAST]


def test_what_an_engine_cannot_load_is_tried_once_for_all_banks(tmp_path: Path) -> None:
    for name in ("can", "box", "bag"):
        store(tmp_path, name)
    engines = Engines(bfloat16=RuntimeError("no kernel"))
    registry = load_registry(tmp_path, engines, lambda *_: FAST)
    assert engines.calls == [FAST, OWN]
    assert len(registry.detectors) == 3


def test_weights_that_are_missing_are_not_looked_for_again_for_another_engine(
    tmp_path: Path,
) -> None:
    store(tmp_path)
    engines = Engines(bfloat16=WeightsNotFound("silent network"))
    registry = load_registry(tmp_path, engines, lambda *_: FAST)
    assert registry.entries["can"] == Unavailable("silent network")
    assert engines.calls == [FAST]


def test_one_bank_may_stand_what_another_does_not(tmp_path: Path) -> None:
    store(tmp_path, "can")
    store(tmp_path, "box", spread=0.001)
    engines = Engines(bfloat16=1.004)
    banks = source(tmp_path, engines, FAST)
    registry = banks.load_all()
    served = {name: detector.engine for name, detector in registry.detectors.items()}
    assert served == {"can": "openvino bfloat16", "box": "torch float32"}
    banks.keep_networks(registry.detectors.values())
    banks.load_all()
    assert sorted(engines.calls) == sorted([FAST, OWN])  # both are kept


def test_a_network_that_no_bank_is_served_by_is_forgotten(tmp_path: Path) -> None:
    store(tmp_path)
    engines = Engines(bfloat16=1.1)
    banks = source(tmp_path, engines, FAST)
    banks.keep_networks([banks.detector("can")])
    banks.detector("can")
    assert engines.calls == [FAST, OWN, FAST]


CPU, GPU = torch.device("cpu"), torch.device("cuda")
STANDS_IT = SPEC.model_copy(update={"backbone": "resnet18", "pooling": "patches"})
BUILT_WITH = RuntimeRecord(name="openvino", precision="float32", device="cpu")


@pytest.fixture
def bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that computes in bfloat16, whatever this one does."""
    monkeypatch.setattr("app.service.networks.fastest", lambda _: ("openvino", "bfloat16"))


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize("runtime", ["auto", "openvino"])
def test_patches_of_a_network_that_stands_bfloat16_may_be_served_in_it(runtime: str) -> None:
    assert faster_engine(CPU, runtime)(STANDS_IT, BUILT_WITH) == ("openvino", "bfloat16")


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize(
    ("runtime", "precision"), [("auto", "float32"), ("auto", "bfloat16"), ("torch", "auto")]
)
def test_what_is_asked_for_is_not_replaced_by_what_is_faster(runtime: str, precision: str) -> None:
    assert faster_engine(CPU, runtime, precision)(STANDS_IT, BUILT_WITH) is None


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize(
    "changes",
    [{"backbone": "efficientnet_lite0"}, {"backbone": "colour"}, {"pooling": "global_mean"}],
)
def test_features_that_were_not_seen_to_stand_bfloat16_are_not_tried_in_it(
    changes: dict[str, str],
) -> None:
    assert faster_engine(CPU)(STANDS_IT.model_copy(update=changes), BUILT_WITH) is None


@pytest.mark.usefixtures("bfloat16")
def test_a_bank_of_a_lower_precision_is_served_in_it() -> None:
    lower = BUILT_WITH.model_copy(update={"precision": "float16"})
    assert faster_engine(CPU)(STANDS_IT, lower) is None


def test_a_cpu_without_bfloat16_or_openvino_has_nothing_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.core.features.runtimes.has_openvino", lambda: False)
    assert faster_engine(CPU)(STANDS_IT, BUILT_WITH) is None
    made = choose_runtime(CPU)
    assert isinstance(made, partial)
    assert made.args[:2] == ("torch", "float32")


def test_on_a_gpu_every_bank_of_float32_may_be_tried_in_float16() -> None:
    for spec in (STANDS_IT, SPEC):
        assert faster_engine(GPU)(spec, BUILT_WITH) == ("torch", "float16")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [("torch", "float16"), OWN]),
        ({"precision": "float32"}, [OWN]),
        ({"runtime": "openvino"}, [OWN]),
    ],
)
def test_the_service_tries_what_its_settings_leave_open(
    settings: dict[str, str], expected: list[Engine]
) -> None:
    manifest = make_artifact().manifest
    assert _networks(Settings(**settings), GPU).engines(manifest) == expected  # type: ignore[arg-type]


def test_a_remembered_failure_is_raised_again() -> None:
    def broken(spec: FeatureSpec, engine: Engine) -> Extractor:
        raise ArtifactError("broken")

    share = SharedNetworks(broken)
    for _ in range(2):
        with pytest.raises(ArtifactError, match="broken"):
            share.extractor(SPEC, OWN)


def test_detectors_that_embed_a_photo_in_the_same_way_come_together() -> None:
    network = colour_extractor()
    reduced = SPEC.model_copy(update={"selected_dimensions": (0, 1)})
    vectors = bank_of(make_artifact()).vectors[:, :2].copy()
    can, box = (Detector(make_artifact(name), network) for name in ("can", "box"))
    bag = Detector(make_artifact("bag", spec=reduced, vectors=vectors), network.with_spec(reduced))
    jar = make_detector(category="jar")  # the same spec, on a network of its own
    assert by_network([can, jar, box, bag]) == [[can, box, bag], [jar]]
    assert by_network([jar]) == [[jar]]
    assert by_network([]) == []

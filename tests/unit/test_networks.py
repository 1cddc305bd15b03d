from __future__ import annotations

from pathlib import Path

import pytest
import torch

from app.core import artifact as artifacts
from app.core.detector import Detector
from app.core.errors import ArtifactError
from app.core.features import Extractor, FeatureExtractor, FeatureSpec
from app.core.manifest import RuntimeRecord
from app.core.runtimes import Engine
from app.core.runtimes.openvino_runtime import has_bfloat16
from app.networks import SharedNetworks, faster_engine
from app.registry import BankSource, load_registry
from tests.support import SPEC, encode, make_artifact, plain
from tests.unit.core.test_golden import FAR, Scaled

OWN, FAST = ("torch", "float32"), ("openvino", "bfloat16")


class Engines:
    """Loads a network per engine, on some of them one whose features are larger by a factor."""

    def __init__(self, **factors: float) -> None:
        self.calls: list[Engine] = []
        self._factors = factors

    def __call__(self, spec: FeatureSpec, engine: Engine) -> Extractor:
        self.calls.append(engine)
        return FeatureExtractor(spec, Scaled(self._factors.get(engine[1], 1.0), spec))


def served(models: Path, engines: Engines, *faster: Engine) -> Detector:
    """The can's detector where these engines are faster than that of its calibration."""
    artifact = make_artifact("can", vectors=FAR, scores=[1.0] * 4)
    artifacts.save(models, artifact)
    source = BankSource(models, SharedNetworks(engines, lambda *_: next(iter(faster), None)))
    return source.detector("can")


def test_a_bank_is_served_by_the_faster_engine_where_its_golden_photos_agree(
    tmp_path: Path,
) -> None:
    engines = Engines(bfloat16=1.001)
    served(tmp_path, engines, FAST)
    assert engines.calls == [FAST]  # the other network is not even loaded


@pytest.mark.parametrize("factor", [0.5, 1.1, float("nan")])
def test_a_bank_whose_golden_photos_move_is_served_as_it_was_calibrated(
    tmp_path: Path, factor: float
) -> None:
    engines = Engines(bfloat16=factor)
    detector = served(tmp_path, engines, FAST)
    assert engines.calls == [FAST, OWN]
    assert detector.inspect(encode(plain(100))).score > 0


def test_a_bank_that_does_not_agree_anywhere_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="golden photos"):
        served(tmp_path, Engines(bfloat16=1.1, float32=1.1), FAST)


def test_banks_share_the_faster_network_too(tmp_path: Path) -> None:
    for name in ("can", "box", "bag"):
        artifacts.save(tmp_path, make_artifact(name))
    engines = Engines()
    load_registry(tmp_path, engines, lambda *_: FAST)
    assert engines.calls == [FAST]


CPU = torch.device("cpu")
needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="the CPU has no bfloat16")
STANDS_IT = SPEC.model_copy(update={"backbone": "resnet18"})
BUILT_WITH = RuntimeRecord(name="openvino", precision="float32", device="cpu")


@needs_bfloat16
@pytest.mark.parametrize("runtime", ["auto", "openvino"])
def test_a_network_that_stands_bfloat16_may_be_served_in_it(runtime: str) -> None:
    assert faster_engine(CPU, runtime)(STANDS_IT, BUILT_WITH) == ("openvino", "bfloat16")


@pytest.mark.parametrize(
    ("runtime", "precision"), [("auto", "float32"), ("auto", "bfloat16"), ("torch", "auto")]
)
def test_what_is_asked_for_is_not_replaced_by_what_is_faster(runtime: str, precision: str) -> None:
    assert faster_engine(CPU, runtime, precision)(STANDS_IT, BUILT_WITH) is None


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "colour"])
def test_a_network_that_was_not_seen_to_stand_bfloat16_is_not_tried_in_it(backbone: str) -> None:
    spec = SPEC.model_copy(update={"backbone": backbone})
    assert faster_engine(CPU)(spec, BUILT_WITH) is None


def test_a_bank_of_a_lower_precision_is_served_in_it() -> None:
    lower = BUILT_WITH.model_copy(update={"precision": "bfloat16"})
    assert faster_engine(CPU)(STANDS_IT, lower) is None


def test_on_a_gpu_every_bank_of_float32_may_be_tried_in_float16() -> None:
    for spec in (STANDS_IT, SPEC):
        assert faster_engine(torch.device("cuda"))(spec, BUILT_WITH) == ("torch", "float16")


def test_a_remembered_failure_is_raised_again() -> None:
    def broken(spec: FeatureSpec, engine: Engine) -> Extractor:
        raise ArtifactError("broken")

    share = SharedNetworks(broken)
    for _ in range(2):
        with pytest.raises(ArtifactError, match="broken"):
            share.extractor(SPEC, OWN)

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

from app.core.detector import Detector
from app.core.errors import ArtifactError, CategoryUnavailable, NoSuchVersion, UnknownCategory
from app.core.store import artifact as artifacts
from app.service.networks import SharedNetworks
from app.service.older import OlderBanks
from app.service.registry import BankSource, Registry, Unavailable
from app.web.trial_choices import Absent, Choice, choices, chosen
from app.web.viewers import BadForm
from tests.support import colour_extractor, make_artifact, make_detector, version_number

pytestmark = pytest.mark.anyio

OLD, NEW = version_number(1), version_number(2)
CAN, BOX = make_detector(version=NEW), make_detector(category="box", version=NEW)
REGISTRY = Registry(
    MappingProxyType({"box": BOX, "can": CAN, "torn": Unavailable("it is cut short")})
)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for version in (OLD, NEW):
        artifacts.save(tmp_path, make_artifact(version=version, threshold=0.5))
    return tmp_path


@pytest.fixture
def older(models: Path) -> Iterator[OlderBanks]:
    source = BankSource(models, SharedNetworks(lambda spec, _: colour_extractor(spec)))
    banks = OlderBanks(source)
    yield banks
    assert banks.close() == []


def test_every_category_is_shown_and_says_why_it_cannot_be_chosen(models: Path) -> None:
    assert choices(REGISTRY, models) == [
        Choice("box"),
        Choice("can", others=(OLD,)),
        Choice("torn", "it is cut short"),
    ]


async def test_one_or_two_banks_judge(older: OlderBanks) -> None:
    assert await chosen(REGISTRY, older, "can", "") == [CAN]
    assert await chosen(REGISTRY, older, "can", "box") == [CAN, BOX]
    assert await chosen(REGISTRY, older, "box", f"can@{NEW}") == [BOX, CAN]
    serving, other = await chosen(REGISTRY, older, "can", f"can@{OLD}")
    assert serving is CAN
    assert isinstance(other, Detector)
    assert (other.manifest.bank_version, other.manifest.threshold.value) == (OLD, 0.5)


@pytest.mark.parametrize(
    ("category", "against", "error", "said"),
    [
        ("", "", BadForm, "choose a category first"),
        ("", "can", BadForm, "choose a category first"),
        ("can", "can", BadForm, "compared with itself"),
        ("can", f"can@{NEW}", BadForm, "compared with itself"),
        ("torn", "", CategoryUnavailable, "it is cut short"),
        ("torn", f"can@{version_number(9)}", CategoryUnavailable, "it is cut short"),
        ("../can", "", UnknownCategory, "no category"),
        ("can", f"../can@{OLD}", UnknownCategory, "no category"),
        (f"can@../can/{OLD}", "", NoSuchVersion, "no version"),
        (f"can@{version_number(9)}", "", NoSuchVersion, "no version"),
    ],
)
async def test_what_cannot_judge_is_refused(
    older: OlderBanks, category: str, against: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        await chosen(REGISTRY, older, category, against)


@pytest.mark.parametrize(
    ("against", "error", "said"),
    [
        ("torn", CategoryUnavailable, "torn is unavailable: it is cut short"),
        (f"can@../can/{OLD}", NoSuchVersion, "can has no version"),
        (f"can@{version_number(9)}", NoSuchVersion, "can has no version"),
        (f"can@{OLD}", ArtifactError, f"can {OLD} cannot be used: "),
    ],
)
async def test_one_that_cannot_judge_keeps_the_other_from_nothing(
    older: OlderBanks, models: Path, against: str, error: type[Exception], said: str
) -> None:
    torn = models / "can" / OLD / "bank.safetensors"
    torn.write_bytes(torn.read_bytes()[:-1])
    for names in (("can", against), (against, "can")):
        good, absent = sorted(
            await chosen(REGISTRY, older, *names), key=lambda one: isinstance(one, Absent)
        )
        assert good is CAN
        assert isinstance(absent, Absent)
        assert isinstance(absent.error, error)
        assert str(absent.error).startswith(said)

"""A preset is a named, complete method, one TOML file each: features, bank, scoring, threshold."""

from __future__ import annotations

import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import PresetError
from ..features.extractor import FeatureSpec
from ..judging.calibration import ThresholdRule
from ..methods.knn.bank_rule import BankRule
from ..methods.scoring import Scoring


class CalibrationPlan(BaseModel):
    """How good images are left out of the bank that scores them.

    Attributes:
        folds: for patch methods; global methods leave one out.
        keep_groups: leave out whole SKUs where file names give them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    folds: int = Field(default=5, ge=2, le=100)
    keep_groups: bool = True


class Preset(BaseModel):
    """A complete method; everything but the photos."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    description: str
    features: FeatureSpec
    bank: BankRule = BankRule()
    scoring: Scoring
    calibration: CalibrationPlan = CalibrationPlan()
    threshold: ThresholdRule


def preset_names() -> list[str]:
    """The names of the presets that come with the package."""
    return sorted(
        f.name.removesuffix(".toml") for f in _presets().iterdir() if f.name.endswith(".toml")
    )


def load_preset(name_or_file: str) -> Preset:
    """A preset by name, or from a TOML file of one's own.

    Raises:
        PresetError: unknown name, or invalid values; the text says which.
    """
    if name_or_file.endswith(".toml"):
        path = Path(name_or_file)
        if not path.is_file():
            raise PresetError(f"no preset file at {path}")
        return _parse(path.read_text(encoding="utf-8"), path.name)
    if name_or_file not in preset_names():
        raise PresetError(
            f"unknown preset {name_or_file!r}; there are {', '.join(preset_names())}, "
            "or give the path of a .toml file"
        )
    return _parse((_presets() / f"{name_or_file}.toml").read_text("utf-8"), name_or_file)


def _presets() -> Traversable:
    return resources.files(__package__) / "presets"


def _parse(text: str, origin: str) -> Preset:
    try:
        return Preset.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as exc:
        raise PresetError(f"preset {origin} is invalid: {exc}") from exc

"""A preset is a named, complete recipe, one TOML file each."""

from __future__ import annotations

import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ..errors import PresetError
from ..features.extractor import FeatureSpec
from ..judging.calibration import ThresholdRule
from ..methods.registry import MethodChoice
from ..methods.scoring import Scoring
from ..photo.category_names import is_category_name
from ..wording import plain_faults
from .augment import Augment
from .looking import LookChoice, LookWhole
from .selection import Selection


class CalibrationPlan(BaseModel):
    """How good images are left out of the bank that scores them.

    Attributes:
        folds: for methods that cannot leave out one photo at a time.
        keep_groups: leave out whole SKUs where file names show them (see `groups.py`).
        seed: which photos make a fold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    folds: int = Field(default=5, ge=2, le=100)
    keep_groups: bool = True
    seed: int = Field(default=0, ge=0)


class Preset(BaseModel):
    """A complete recipe; everything but the photos.

    Attributes:
        selection: which of the features' dimensions are kept; None: all.
        look: which part of the photos is judged.
        augment: turned and mirrored copies of the good photos that teach, too; none by default.
        method: in a file, `[method]` with `kind` and that method's own values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    description: str
    features: FeatureSpec
    selection: Selection | None = None
    method: MethodChoice
    look: LookChoice = LookWhole()
    augment: Augment = Augment()
    scoring: Scoring = Scoring()
    calibration: CalibrationPlan = CalibrationPlan()
    threshold: ThresholdRule

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not is_category_name(value):
            raise ValueError("may have a-z, 0-9, _ and -, at most 64, none of _ - first")
        return value

    @field_validator("method", mode="before")
    @classmethod
    def _flat(cls, value: object) -> object:
        """A file's one table -> kind and settings."""
        if not isinstance(value, dict) or "settings" in value:
            return value
        return {
            "kind": value.get("kind"),
            "settings": {k: v for k, v in value.items() if k != "kind"},
        }


def preset_names() -> list[str]:
    """The names of the presets that come with the package."""
    return sorted(
        f.name.removesuffix(".toml") for f in _presets().iterdir() if f.name.endswith(".toml")
    )


def load_preset(name_or_file: str | Path) -> Preset:
    """A preset by name, or from a TOML file of one's own.

    Raises:
        PresetError: unknown name, or invalid values; the text says which.
    """
    name_or_file = str(name_or_file)
    if name_or_file.endswith(".toml"):
        path = Path(name_or_file)
        if not path.is_file():
            raise PresetError(f"no preset file at {path}")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise PresetError(f"the preset file {path} cannot be read: {exc}") from exc
        return _parse(text, path.name, path.parent)
    if name_or_file not in preset_names():
        raise PresetError(
            f"unknown preset {name_or_file!r}; there are {', '.join(preset_names())}, "
            "or give the path of a .toml file"
        )
    return _parse((_presets() / f"{name_or_file}.toml").read_text("utf-8"), name_or_file)


def _presets() -> Traversable:
    return resources.files(__package__) / "presets"


def _find_mask(look: object, folder: Path) -> None:
    """A mask's file lies where the preset's own file says, seen from there."""
    if isinstance(look, dict) and isinstance(look.get("file"), str):
        look["file"] = str(folder / look["file"])


def _parse(text: str, origin: str, folder: Path = Path()) -> Preset:
    try:
        values = tomllib.loads(text)
        _find_mask(values.get("look"), folder)
        if "bank" in values:
            raise PresetError(
                f"preset {origin} has the form of an older release: what was [bank] is [method] "
                'with kind = "knn" now, k moved there from [scoring], and highest_std_dimensions = '
                'N is [selection] with rule = "highest_std" and keep = N'
            )
        return Preset.model_validate(values)
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise PresetError(f"preset {origin} is invalid: {exc}") from exc
    except ValidationError as exc:
        faults = plain_faults(exc, hidden=("settings",))
        raise PresetError(f"preset {origin} is invalid: {faults}") from exc

"""manifest.json: everything about one bank version but its numbers."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ArtifactError
from ..features.extractor import FeatureSpec
from ..judging.calibration import ThresholdRule
from ..methods.registry import MethodRecord
from ..methods.scoring import Scoring
from ..photo.look import LookRecord
from ..wording import plain_message
from . import schema3
from .look_trial import LookTrial

MANIFEST = "manifest.json"
SCHEMA_VERSION = 4
# A manifest is a few KiB; what is larger is none.
MAX_MANIFEST_BYTES = 4 << 20
VERSION_PATTERN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


# The digest's place while it is taken: of the file's bytes, with this in its stead.
UNSEALED = "0" * 64


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ThresholdRecord(_Frozen):
    """The rule, the value it gave, and the false-alarm rate it promises."""

    rule: ThresholdRule
    value: float = Field(allow_inf_nan=False)
    alpha: float = Field(ge=0.0, le=1.0)


class MapScale(_Frozen):
    """The anomaly map's fixed scale, from the maps of held-out good photos.

    Attributes:
        low: their median patch score; what lies below is drawn as calm.
        threshold: the threshold rule applied to their highest patch scores; what lies above it
            is outlined.
    """

    low: float = Field(ge=0.0)
    threshold: float = Field(allow_inf_nan=False)


class Counts(_Frozen):
    """Files of `train/good`: used, unreadable, ignored (no image by its extension).

    Attributes:
        copies: photos set aside, since one that is used shows the same picture.
        groups: of photos that belong together (a visit), which calibration kept together; null:
            an older build did not say.
        turned: turned and mirrored copies of the images, which taught the bank, too.
    """

    images: int = Field(ge=1)
    unreadable: int = Field(ge=0)
    ignored: int = Field(ge=0)
    calibration_scores: int = Field(ge=0)
    copies: int = Field(default=0, ge=0)
    groups: int | None = Field(default=None, ge=1)
    turned: int = Field(default=0, ge=0)


class GroupingRecord(_Frozen):
    """By what photos were grouped (`visit`, `sku`, `file`, or `none`: each by itself), and why."""

    by: str
    why: str


class GoldenRecord(_Frozen):
    """Golden photos in bank.safetensors, and how far their scores may move (see `golden.py`)."""

    photos: int = Field(ge=1)
    bound: float = Field(gt=0.0, le=1.0)


class RuntimeRecord(_Frozen):
    """What computed the bank and its calibration."""

    name: str
    precision: str
    device: str


class Manifest(_Frozen):
    """Everything about one bank version but its numbers."""

    schema_version: int = SCHEMA_VERSION
    category: str
    bank_version: str = Field(pattern=rf"^{VERSION_PATTERN.pattern}$")
    created_at: datetime
    preset: str
    features: FeatureSpec
    method: MethodRecord
    look: LookRecord = LookRecord()
    look_trial: LookTrial | None = None  # the look was given, not chosen
    scoring: Scoring
    threshold: ThresholdRecord
    anomaly_map: MapScale
    counts: Counts
    grouping: GroupingRecord | None = None  # an older build did not say
    runtime: RuntimeRecord
    golden: GoldenRecord
    bank_sha256: str = ""
    bank_bytes: int = Field(default=0, ge=0)
    training_files_sha256: str
    manifest_sha256: str = Field(default=UNSEALED, pattern=r"^[0-9a-f]{64}$")
    libraries: dict[str, str]
    wall_time_s: float

    def render(self) -> bytes:
        """manifest.json, sealed: a changed byte of it, wherever it is, shows."""
        unsealed = self.model_copy(update={"manifest_sha256": UNSEALED})
        data = (unsealed.model_dump_json(indent=2) + "\n").encode()
        return data.replace(_seal(UNSEALED), _seal(hashlib.sha256(data).hexdigest()))

    def is_seal_of(self, data: bytes) -> bool:
        """Whether these bytes are those that `render` gave, in this schema or an older one."""
        seal = _seal(self.manifest_sha256)
        unsealed = data.replace(seal, _seal(UNSEALED))
        digest = hashlib.sha256(unsealed).hexdigest()
        return data.count(seal) == 1 and digest == self.manifest_sha256


def parse(data: bytes) -> Manifest:
    """A manifest's bytes, of this schema or of one that can be converted.

    Raises:
        ArtifactError: another schema, invalid fields, or bytes that are not as they were written.
    """
    try:
        manifest = _in_this_schema(data)
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        words = plain_message(first["type"], first["msg"])
        raise ArtifactError(f"{MANIFEST} is invalid at {place!r}: {words}") from exc
    if not manifest.is_seal_of(data):
        raise ArtifactError(f"{MANIFEST} was changed after it was written: its sha256 differs")
    return manifest


def schema_of(data: bytes) -> int:
    """The schema version that a manifest names.

    Raises:
        ValidationError: it names none.
    """
    return _AnySchema.model_validate_json(data).schema_version


class _AnySchema(BaseModel):
    schema_version: int


def _in_this_schema(data: bytes) -> Manifest:
    # Asked first: another schema's fields would only be called invalid, one by one.
    schema = schema_of(data)
    if schema == SCHEMA_VERSION:
        return Manifest.model_validate_json(data)
    if schema != schema3.VERSION:
        raise ArtifactError(
            f"schema version {schema} is not {SCHEMA_VERSION}, which this release reads; "
            "build the bank again"
        )
    try:
        fields = schema3.converted(json.loads(data))
    except (KeyError, TypeError, ValueError) as exc:
        raise ArtifactError(f"{MANIFEST} is no manifest of schema {schema3.VERSION}") from exc
    return Manifest.model_validate_json(json.dumps(fields))


def _seal(digest: str) -> bytes:
    return f'"manifest_sha256": "{digest}"'.encode()

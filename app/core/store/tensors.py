"""bank.safetensors: the numbers of one bank version, their types and shapes checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as render_safetensors

from ..arrays import Floats, Pixels
from ..errors import ArtifactError
from ..photo.look import MOST_WEIGHTS

_TYPES = {"golden_pixels": np.uint8}  # float32 where not named
# Of what a method has learnt. Nothing else needs to be read from an untrusted file.
_METHOD, _METHOD_TYPES = "method.", (np.float32, np.int32, np.uint8)
_NAME = re.compile(r"method\.[a-z0-9_.]{1,80}")
_ORIGINS, _ORIGIN_NAME = "origins.", re.compile(r"origins\.[a-z_]{1,80}")
# A header takes about 80 bytes a tensor; safetensors itself would parse one of 100 MB.
_MAX_HEADER_BYTES = 64 << 10


@dataclass(frozen=True)
class Tensors:
    """n calibration scores, G golden photos, and what the method has learnt.

    Attributes:
        method: by name, as `Method.tensors` gave them; stored as `method.<name>`.
        origins: by name, as `Origins.tensors` gave them; stored as `origins.<name>`. Empty: the
            bank does not say where its vectors come from.
        calibration_scores, calibration_peaks: (n,) float32.
        look_weights: (m, n) float32 in [0, 1], of the look; None where it has none.
        golden_pixels: (G, H, W, 3) uint8. golden_content: (G, 4) float32. golden_scores: (G,)
            float32.
    """

    method: Mapping[str, npt.NDArray[Any]]
    calibration_scores: Floats
    calibration_peaks: Floats
    golden_pixels: Pixels
    golden_content: Floats
    golden_scores: Floats
    look_weights: Floats | None = None
    origins: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def render(self) -> bytes:
        """As a safetensors file."""
        given = {f"{_METHOD}{name}": tensor for name, tensor in self.method.items()}
        given |= {f"{_ORIGINS}{name}": tensor for name, tensor in self.origins.items()}
        own = {name: getattr(self, name) for name in _OWN}
        given |= {name: tensor for name, tensor in own.items() if tensor is not None}
        return render_safetensors({n: np.ascontiguousarray(t) for n, t in given.items()})

    @classmethod
    def parse(cls, data: bytes, renamed: Mapping[str, str] = MappingProxyType({})) -> Tensors:
        """Read a safetensors file.

        Args:
            renamed: what an older schema called them -> their names now.

        Raises:
            ArtifactError: not one, or its tensors are not these.
        """
        if len(data) < 8 or int.from_bytes(data[:8], "little") > _MAX_HEADER_BYTES:
            raise ArtifactError("bank.safetensors has no header, or an oversized one")
        try:
            stored = parse_safetensors(data)
        except (SafetensorError, KeyError, ValueError) as exc:
            raise ArtifactError(f"bank.safetensors cannot be read: {exc}") from exc
        stored = {renamed.get(name, name): tensor for name, tensor in stored.items()}
        own = {name: stored.pop(name) for name in _OWN if name in stored}
        if missing := sorted(_OWN - _OPTIONAL - set(own)):
            raise ArtifactError(f"bank.safetensors lacks {missing}")
        origins = {name: stored.pop(name) for name in list(stored) if _ORIGIN_NAME.fullmatch(name)}
        if extra := sorted(name for name in stored if not _NAME.fullmatch(name)):
            raise ArtifactError(f"bank.safetensors holds {extra}, which no bank has")
        for name, tensor in own.items():
            _check_type(name, tensor, (_TYPES.get(name, np.float32),))
        for name, tensor in (stored | origins).items():
            _check_type(name, tensor, _METHOD_TYPES)
        tensors = cls(
            method={name.removeprefix(_METHOD): tensor for name, tensor in stored.items()},
            origins={name.removeprefix(_ORIGINS): tensor for name, tensor in origins.items()},
            **own,
        )
        tensors._check()
        return tensors

    def _check(self) -> None:
        scores, peaks = self.calibration_scores, self.calibration_peaks
        alike = scores.ndim == 1 and peaks.shape == scores.shape
        if not alike or not np.isfinite([scores, peaks]).all():
            raise ArtifactError("the calibration scores must be (n,) and finite")
        photos = len(self.golden_pixels) if self.golden_pixels.ndim == 4 else 0
        if not photos or self.golden_pixels.shape[3] != 3:
            raise ArtifactError("the golden photos must be (G, H, W, 3)")
        if self.golden_content.shape != (photos, 4) or self.golden_scores.shape != (photos,):
            raise ArtifactError("the golden photos' boxes and scores are not theirs")
        if not (np.isfinite(self.golden_content).all() and np.isfinite(self.golden_scores).all()):
            raise ArtifactError("the golden photos' boxes and scores must be finite")
        if self.look_weights is not None:
            _check_weights(self.look_weights)


_OWN = frozenset(Tensors.__dataclass_fields__) - {"method", "origins"}
_OPTIONAL = frozenset({"look_weights"})


def _check_weights(weights: Floats) -> None:
    if weights.ndim != 2 or not 0 < weights.size <= MOST_WEIGHTS:
        raise ArtifactError(f"weights of a look are (m, n), not {weights.shape}")
    if not (np.isfinite(weights).all() and weights.min() >= 0 and 0 < weights.max() <= 1):
        raise ArtifactError("the weights of a look must lie between 0 and 1, and not all be 0")


def _check_type(name: str, tensor: npt.NDArray[Any], allowed: Sequence[type[np.generic]]) -> None:
    if tensor.dtype not in allowed:
        wanted = " or ".join(str(np.dtype(dtype)) for dtype in allowed)
        raise ArtifactError(f"{name} in bank.safetensors must be {wanted}")

"""bank.safetensors: the numbers of one bank version, their types and shapes checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as render_safetensors

from ..errors import ArtifactError

Floats = npt.NDArray[np.float32]

_TYPES = {"golden_pixels": np.uint8, "list_of": np.int32}  # float32 where not named
_MAX_HEADER_BYTES = 16 << 10
_OPTIONAL = frozenset({"centroids", "list_of"})


@dataclass(frozen=True)
class Tensors:
    """N vectors of D dimensions, n calibration scores, G golden photos, L lists.

    Attributes:
        bank: (N, D) float32. calibration_scores, calibration_peaks: (n,) float32.
        golden_pixels: (G, H, W, 3) uint8. golden_content: (G, 4) float32. golden_scores: (G,)
            float32.
        centroids: (L, D) float32, and list_of: (N,) int32; None where the search is exact.
    """

    bank: Floats
    calibration_scores: Floats
    calibration_peaks: Floats
    golden_pixels: npt.NDArray[np.uint8]
    golden_content: Floats
    golden_scores: Floats
    centroids: Floats | None = None
    list_of: npt.NDArray[np.int32] | None = None

    def render(self) -> bytes:
        """As a safetensors file."""
        given = {name: tensor for name, tensor in vars(self).items() if tensor is not None}
        return render_safetensors({n: np.ascontiguousarray(t) for n, t in given.items()})

    @classmethod
    def parse(cls, data: bytes) -> Tensors:
        """Read a safetensors file.

        Raises:
            ArtifactError: not one, or its tensors are not these.
        """
        # A bank's header has about 600 bytes; safetensors itself would parse one of 100 MB.
        if len(data) < 8 or int.from_bytes(data[:8], "little") > _MAX_HEADER_BYTES:
            raise ArtifactError("bank.safetensors has no header, or an oversized one")
        try:
            stored = parse_safetensors(data)
        except (SafetensorError, KeyError, ValueError) as exc:
            raise ArtifactError(f"bank.safetensors cannot be read: {exc}") from exc
        names = set(cls.__dataclass_fields__)
        if (missing := names - _OPTIONAL - set(stored)) or (extra := set(stored) - names):
            raise ArtifactError(
                f"bank.safetensors lacks {sorted(missing)}"
                if missing
                else f"bank.safetensors holds {sorted(extra)}, which no bank has"
            )
        for name, tensor in stored.items():
            wanted = np.dtype(_TYPES.get(name, np.float32))
            if tensor.dtype != wanted:
                raise ArtifactError(f"{name} in bank.safetensors must be {wanted}")
        tensors = cls(**stored)
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
        if (self.centroids is None) != (self.list_of is None):
            raise ArtifactError("centroids and lists belong together")

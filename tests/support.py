"""What the tests share: pictures, a feature extractor with predictable numbers, banks for it.

The extractor is the real `FeatureExtractor`; only its network is replaced, by one that hands the
picture through. A photo's embedding is then its mean colour, each channel in [0, 1], so that every
score can be worked out by hand.
"""

from __future__ import annotations

import errno
import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from app.core.building.build import build_bank
from app.core.building.preset import Preset
from app.core.detector import Detector
from app.core.features.extractor import FeatureExtractor, FeatureSpec, embedding_network
from app.core.judging.calibration import Calibration
from app.core.judging.golden import Golden
from app.core.methods.knn import Knn, KnnSettings
from app.core.methods.knn.bank import MemoryBank
from app.core.methods.method import Scorer
from app.core.methods.registry import MethodRecord
from app.core.photo.dataset import read_category
from app.core.photo.preprocess import Preprocess
from app.core.store import artifact as artifacts

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("GOODSGUARD_SHARED", ROOT.parent / "shared"))

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

SPEC = FeatureSpec(
    backbone="colour",
    weights_sha256="0" * 64,
    layers=("colour",),
    preprocess=Preprocess(
        input_size=32, resize="squash", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
    ),
)

# The nearest good photo's distance, and a threshold from the calibration scores' quantile.
METHOD = Preset.model_validate(
    {
        "name": "colour",
        "description": "the mean colour",
        "features": SPEC.model_dump(),
        "method": {"kind": "knn"},
        "threshold": {"rule": "quantile", "q": 0.9},
    }
)

# A bank of greys: the normal goods are grey, anything coloured is a defect.
GREYS = tuple(range(100, 150, 5))
THRESHOLD = 0.1


class ColourRuntime:
    """A network whose feature map is the picture itself.

    Attributes:
        before: runs on the network's thread, before each batch; a test may replace it.
    """

    name = "torch"
    precision = "float32"
    device = torch.device("cpu")

    concurrent = False

    def __init__(
        self, before: Callable[[], object] = lambda: None, spec: FeatureSpec = SPEC
    ) -> None:
        self.before = before
        self._network = embedding_network(self.forward, spec)

    def for_spec(self, spec: FeatureSpec) -> Self:
        """The same network, hooks and all, under another spec."""
        other = copy(self)
        other._network = embedding_network(self.forward, spec)
        return other

    def embed(self, pixels: Pixels) -> Floats:
        embedding: Floats = self._network(torch.from_numpy(pixels)).numpy()
        return embedding

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.before()
        return (batch,)


def colour_extractor(
    spec: FeatureSpec = SPEC, before: Callable[[], object] = lambda: None
) -> FeatureExtractor:
    """Mean colour as the embedding. `before` runs on the network's thread, before each batch."""
    return FeatureExtractor(spec, ColourRuntime(before, spec))


def plain(colour: int | tuple[int, int, int], size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A picture of one colour; a number is that grey."""
    return Image.new("RGB", size, (colour,) * 3 if isinstance(colour, int) else colour)


def textured(width: int, height: int) -> Image.Image:
    """A deterministic picture with detail at every scale, the same on every machine."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [
        127 + 90 * np.sin(x / 17.0) * np.cos(y / 23.0),
        (x * 255.0) / max(1, width - 1),
        127 + 80 * np.cos((x + 2 * y) / 41.0) + 40 * ((x // 16 + y // 16) % 2),
    ]
    return Image.fromarray(np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8))


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes | None) -> bytes:
    """A PNG written by hand, for what Pillow cannot write; without `rows` no pixels follow."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    if rows is None:
        body = struct.pack(">I", 10) + b"IDAT"
    else:
        body = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


@cache
def _built() -> artifacts.Artifact:
    """A bank of greys, made by the real build."""
    with TemporaryDirectory() as root:
        write_category(Path(root))
        return build_bank(read_category(Path(root), "can"), METHOD, colour_extractor()).artifact


def make_artifact(
    category: str = "can",
    *,
    vectors: Floats | None = None,
    scores: Sequence[float] = (0.01, 0.02, 0.03, 0.04),
    threshold: float = THRESHOLD,
    spec: FeatureSpec = SPEC,
    k: int = 1,
    version: str | None = None,
) -> artifacts.Artifact:
    """A bank in memory; of greys unless vectors are given."""
    base = _built()
    bank = bank_of(base) if vectors is None else MemoryBank(vectors)
    learnt = Knn(KnnSettings(k=k), bank)
    manifest = base.manifest.model_copy(
        update={
            "category": category,
            "bank_version": version or artifacts.new_version(),
            "features": spec,
            "method": MethodRecord.of(learnt),
            "threshold": base.manifest.threshold.model_copy(
                update={"value": threshold, "alpha": 0.01}
            ),
            "counts": base.manifest.counts.model_copy(update={"calibration_scores": len(scores)}),
        }
    )
    calibration = Calibration(np.array(scores, dtype=np.float32), threshold, alpha=0.01)
    made = replace(
        base,
        manifest=manifest,
        method=learnt,
        calibration=calibration,
        peaks=calibration.scores,
        origins=base.origins if vectors is None else None,
    )
    columns = spec.selected_dimensions or (0, 1, 2)
    if spec.backbone == "colour" and bank.dimensions == len(columns) and max(columns) < 3:
        scorer = Scorer(learnt, manifest.scoring)
        golden = Golden.measure(base.golden.photos(), colour_extractor(spec), scorer)
        made = replace(made, golden=golden)
    return made


def bank_of(artifact: artifacts.Artifact) -> MemoryBank:
    """The memory bank of a k-nearest-neighbour artifact."""
    assert isinstance(artifact.method, Knn)
    return artifact.method.bank


def make_detector(**options: Any) -> Detector:
    """A detector of greys."""
    return Detector(make_artifact(**options), colour_extractor())


def version_number(index: int) -> str:
    """Bank versions in ascending order."""
    return f"20260101T{index:06d}Z-000000"


def write_photos(folder: Path, photos: Sequence[Image.Image], *, first: int = 0) -> list[Path]:
    """Pictures as PNG files, named in order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"photo_{first + i:03d}.png" for i in range(len(photos))]
    for path, photo in zip(paths, photos, strict=True):
        path.write_bytes(encode(photo))
    return paths


def write_category(root: Path, name: str = "can") -> Path:
    """A data folder: grey goods, and defective ones in red and in blue."""
    folder = root / name
    write_photos(folder / "train" / "good", [plain(g) for g in GREYS])
    write_photos(folder / "test" / "good", [plain(g) for g in (102, 112, 122, 132)])
    write_photos(folder / "test" / "red_spot", [plain((200, 60, 60)), plain((220, 40, 40))])
    write_photos(folder / "test" / "blue_spot", [plain((60, 60, 200))])
    return folder


def closed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make it a folder that we may not list. (Root may list any.)"""
    listed = Path.iterdir

    def refused(path: Path) -> Iterator[Path]:
        if path == folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refused)

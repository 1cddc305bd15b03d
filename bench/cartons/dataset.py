"""The data set as it is written: photos, masks, and a record of what was drawn where."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from app.core.evaluating import damage
from bench.cartons.choices import plan
from bench.cartons.errors import CartonsError
from bench.cartons.painter import Painter
from bench.cartons.source import categories_in, images_in, read_photo

RECORD = "cartons.json"


@dataclass(frozen=True)
class Record:
    """One test photo of the data set written."""

    category: str
    stem: str
    kind: str  # "good" or a defect type
    area: float  # share of the image changed


def build(source: Path, out: Path, seed: int = 0) -> list[Record]:
    """Write the data set, whole or not at all; nothing is done where it lies already.

    Raises CartonsError if the source is missing or `out` holds something else.
    """
    categories = categories_in(source)
    expected = fingerprint(source, categories, seed)
    present, records = read_records(out)
    if present == expected:
        return records
    if not present and out.exists() and any(out.iterdir()):
        raise CartonsError(f"{out}: not empty and not written by bench.cartons; left alone")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        fresh = Path(folder) / "fresh"
        painter = Painter(source, seed)
        records = [
            record
            for category in categories
            for record in _write_category(painter, source, fresh, category, seed)
        ]
        stored = {"fingerprint": expected, "seed": seed, "photos": [asdict(r) for r in records]}
        (fresh / RECORD).write_text(json.dumps(stored, indent=1))
        if out.exists():
            out.replace(Path(folder) / "old")
        fresh.replace(out)
    return records


def read_records(out: Path) -> tuple[str, list[Record]]:
    """Fingerprint and records of a data set written before; empty if there is none."""
    file = out / RECORD
    if not file.is_file():
        return "", []
    stored = json.loads(file.read_text())
    return stored["fingerprint"], [Record(**record) for record in stored["photos"]]


def _write_category(
    painter: Painter, source: Path, out: Path, category: str, seed: int
) -> Iterator[Record]:
    train = out / category / "train" / "good"
    train.mkdir(parents=True)
    for path in images_in(source / category / "train" / "good"):
        shutil.copyfile(path, train / path.name)
    kinds = plan(images_in(source / category / "test" / "good"), category, seed)
    for path, kind in kinds.items():
        image = out / category / "test" / kind / f"{path.stem}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        # Good and damaged alike are PNG of the decoded photo: the file must not tell the label.
        if kind == "good":
            Image.fromarray(read_photo(path)).save(image)
            yield Record(category, path.stem, kind, 0.0)
            continue
        made = painter.paint(path, kind)
        Image.fromarray(made.photo).save(image)
        mask = out / category / "ground_truth" / kind / f"{path.stem}_mask.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.where(made.mask, 255, 0).astype(np.uint8)).save(mask)
        yield Record(category, path.stem, kind, round(float(made.mask.mean()), 5))


def fingerprint(source: Path, categories: Sequence[str], seed: int) -> str:
    """Changes with the source's files, the seed and the code: other code draws otherwise."""
    digest = hashlib.sha256(str(seed).encode())
    for package in (Path(__file__).parent, Path(damage.__file__).parent):
        for file in sorted(package.rglob("*.py")):
            digest.update(f" {file.relative_to(package).as_posix()} ".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    for category in categories:
        for split in ("train", "test"):
            for path in images_in(source / category / split / "good"):
                digest.update(f"{category}/{split}/{path.name} ".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.photo.dataset import LabelledImage, read_test_split
from app.core.store import artifact as artifacts
from scripts import prepare_elpv
from tests.e2e.process import Server, run_script, running

pytest.importorskip("elpv_dataset")

N_TEST = 12  # photos per label and category that evaluations score
E2E = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if E2E in item.path.parents:
            item.add_marker("e2e")


@dataclass(frozen=True)
class Elpv:
    """Real photos: all of them, a few to evaluate on, and banks built by the real script."""

    data: Path
    few: Path
    models: Path

    def photos(self, category: str = "elpv_mono") -> dict[str, list[bytes]]:
        """Test photos by label."""
        images: dict[str, list[bytes]] = {"good": [], "defective": []}
        for image in read_test_split(self.few, category).test:
            images[image.defect_type].append(image.path.read_bytes())
        return images


@pytest.fixture(scope="session")
def elpv(tmp_path_factory: pytest.TempPathFactory) -> Elpv:
    root = tmp_path_factory.mktemp("elpv")
    prepare_elpv.main(root / "data")
    done = run_script(
        "build_bank.py", "--data", root / "data", "--preset", "embedded-knn",
        "--models", root / "models", "--limit", "30", "--device", "cpu",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for category in ("elpv_mono", "elpv_poly"):
        by_label: dict[str, list[LabelledImage]] = {"good": [], "defective": []}
        for image in read_test_split(root / "data", category).test:
            by_label[image.defect_type].append(image)
        for label, images in by_label.items():
            folder = root / "few" / category / "test" / label
            folder.mkdir(parents=True)
            for image in images[:: len(images) // N_TEST][:N_TEST]:
                (folder / image.path.name).symlink_to(image.path.resolve())
    return Elpv(root / "data", root / "few", root / "models")


@pytest.fixture(scope="session")
def server(elpv: Elpv, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Both ELPV banks, and `torn`, whose bank is cut short."""
    root = tmp_path_factory.mktemp("server")
    shutil.copytree(elpv.models, root / "models")
    shutil.copytree(elpv.models / "elpv_mono", root / "models" / "torn")
    version = artifacts.current_version(root / "models" / "torn")
    bank = root / "models" / "torn" / version / artifacts.BANK
    bank.write_bytes(bank.read_bytes()[:-100])
    with running(
        root / "log",
        models_dir=root / "models",
        data_dir=elpv.few,
        reports_dir=root / "reports",
        device="cpu",
        threads="1",
    ) as started:
        yield started

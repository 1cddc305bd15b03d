from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bench import batch
from tests.e2e.test_scripts import call


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = call(batch.main, "--out", tmp_path)
    assert result.exit_code == 1
    assert "no CUDA device" in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"),
        ),
    ],
)
def test_each_precision_is_measured(tmp_path: Path, device: str) -> None:
    arguments = ("--device", device, "--batch", "2", "--preset", "embedded-patch", "--quick")
    result = call(batch.main, *arguments, "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    rows = json.loads((tmp_path / "batch.json").read_text())["rows"]
    assert {"float32", "bfloat16"} <= {row["precision"] for row in rows}
    for row in rows:
        assert row["pass_ms"]["median"] > 0
        assert row["precision"] in result.stdout

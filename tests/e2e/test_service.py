from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from PIL import Image

from app.core.detector import Detector
from app.core.store import artifact as artifacts
from app.service.networks import extractor_loader
from app.service.registry import load_registry
from tests.e2e.conftest import Elpv
from tests.e2e.process import Server
from tests.support import ROOT, encode, textured


@pytest.fixture(scope="module")
def detector(elpv: Elpv) -> Detector:
    """The same bank in this process."""
    load = extractor_loader(torch.device("cpu"), None)
    return load_registry(elpv.models, load).detector("elpv_mono")


def test_the_service_is_ready(server: Server) -> None:
    answer = server.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")


def test_a_good_photo_scores_lower_than_a_defective_one(server: Server, elpv: Elpv) -> None:
    photos = elpv.photos()
    good = sorted(server.score(p)["score"] for p in photos["good"])
    defective = sorted(server.score(p)["score"] for p in photos["defective"])
    assert good[len(good) // 2] < defective[len(defective) // 2]


@pytest.mark.parametrize("label", ["good", "defective"])
def test_the_score_is_that_of_this_process(
    server: Server, elpv: Elpv, detector: Detector, label: str
) -> None:
    photo = elpv.photos()[label][0]
    answer, expected = server.score(photo), detector.inspect(photo)
    assert answer["score"] == pytest.approx(expected.score, abs=1e-5)
    assert answer["threshold"] == expected.threshold
    assert (answer["verdict"], answer["p_value"]) == (expected.verdict, expected.p_value)


def test_a_batch_gives_the_scores_of_its_photos_alone(server: Server, elpv: Elpv) -> None:
    photos = [p for group in elpv.photos().values() for p in group[:4]]
    answer = server.client.post(
        "/score/elpv_mono/batch", files=[("files", (f"{i}", p)) for i, p in enumerate(photos)]
    )
    together = [r["result"]["score"] for r in answer.json()["results"]]
    assert together == pytest.approx([server.score(p)["score"] for p in photos], abs=1e-4)


def test_many_clients_at_once_get_the_scores_of_one(server: Server, elpv: Elpv) -> None:
    photos = elpv.photos()["good"][:6]
    alone = [server.score(p)["score"] for p in photos]
    with ThreadPoolExecutor(6) as clients:
        together = list(clients.map(lambda p: server.score(p)["score"], photos))
    assert together == pytest.approx(alone, abs=1e-5)


def test_a_large_photo_is_scored_and_its_decoding_timed(server: Server) -> None:
    answer = server.score(encode(textured(3000, 3000), "JPEG"))
    assert answer["image"] == {"width": 3000, "height": 3000, "format": "JPEG"}
    assert answer["timings_ms"]["decode"] > 0
    assert answer["timings_ms"]["total"] >= answer["timings_ms"]["decode"]


def test_a_photo_held_sideways_scores_as_upright(server: Server, elpv: Elpv) -> None:
    with Image.open(io.BytesIO(elpv.photos()["good"][0])) as photo:
        upright = photo.convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = encode(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    scores = [server.score(data)["score"] for data in (encode(upright), sideways)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_a_damaged_category_is_unavailable_beside_good_ones(server: Server, elpv: Elpv) -> None:
    photo = elpv.photos()["good"][0]
    answer = server.client.post("/score/torn", files={"file": photo})
    assert (answer.status_code, answer.json()["type"]) == (
        503,
        "urn:goodsguard:category-unavailable",
    )
    assert server.score(photo)["category"] == "elpv_mono"
    assert server.score(photo, "elpv_poly")["category"] == "elpv_poly"


def test_an_evaluation_reports_its_progress_to_the_end(server: Server) -> None:
    assert server.client.post("/evaluate/elpv_mono").status_code == 202
    deadline = time.monotonic() + 60
    while (status := server.client.get("/evaluate/elpv_mono").json())["state"] != "done":
        assert status["state"] in ("queued", "running")
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert status["progress"] == {"done": 24, "total": 24}
    assert (status["result"]["n_good"], status["result"]["n_defective"]) == (12, 12)
    assert status["result"]["auroc"] > 0.6


def test_broken_uploads_leave_the_service_alive(server: Server, elpv: Elpv) -> None:
    photo = elpv.photos()["good"][0]
    for upload in (b"", b"no image", photo[: len(photo) // 2], os.urandom(5_000)):
        answer = server.client.post("/score/elpv_mono", files={"file": ("x.png", upload)})
        assert answer.status_code == 422
    assert server.score(photo)["verdict"] in ("normal", "anomalous")


def test_an_endless_body_is_cut_off(server: Server) -> None:
    sent = 0

    def chunks() -> object:
        nonlocal sent
        for _ in range(4_000):
            sent += 1 << 16
            yield bytes(1 << 16)

    answer = server.client.post(
        "/score/elpv_mono",
        content=chunks(),  # type: ignore[arg-type]
        headers={"content-type": "image/png"},
    )
    assert answer.status_code == 413
    assert sent < 4_000 << 16


def test_every_log_line_is_json_with_the_requests_id(server: Server, elpv: Elpv) -> None:
    photo = elpv.photos()["good"][0]
    server.client.post(
        "/score/elpv_mono", files={"file": photo}, headers={"X-Request-ID": "look-for-me"}
    )
    (line,) = [entry for entry in server.log_lines() if entry.get("request_id") == "look-for-me"]
    assert (line["event"], line["status"], line["category"]) == ("request", 200, "elpv_mono")
    assert set(line["timings_ms"]) >= {"decode", "embed", "search"}


def test_metrics_are_in_prometheus_form(server: Server, elpv: Elpv) -> None:
    server.score(elpv.photos()["good"][0])
    text = server.client.get("/metrics").text
    assert re.search(r'^goodsguard_verdicts_total\{category="elpv_mono".*\} [1-9]', text, re.M)


def build_until_killed(elpv: Elpv, models: Path) -> int:
    """Start a build of all photos and kill it on the spot once some are embedded; its status."""
    script = ROOT / "scripts/build_bank.py"
    arguments = ("--preset", "embedded-knn", "--category", "elpv_mono", "--device", "cpu")
    with subprocess.Popen(
        [sys.executable, script, "--data", elpv.data, "--models", models, *arguments],
        cwd=ROOT,
        # progress as it comes, though no terminal is there
        env=os.environ | {"TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1", "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as build:
        assert build.stderr
        seen = b""
        while not re.search(rb"[1-9]\d*/349", seen):
            chunk = os.read(build.stderr.fileno(), 4096)
            assert chunk, seen
            seen += chunk
        build.kill()
        return build.wait(10)


@pytest.mark.slow
def test_a_killed_build_leaves_the_old_version(elpv: Elpv, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(elpv.models, models)
    before = artifacts.current_version(models / "elpv_mono")
    assert build_until_killed(elpv, models) == -signal.SIGKILL
    assert artifacts.versions(models / "elpv_mono") == [before]
    load = extractor_loader(torch.device("cpu"), None)
    detector = load_registry(models, load).detector("elpv_mono")
    assert detector.manifest.bank_version == before
    assert detector.inspect(elpv.photos()["good"][0]).score > 0

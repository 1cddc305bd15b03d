"""The main job on real images: build, serve, score over HTTP, evaluate; then go on serving.

Uses the ELPV solar cells, which any machine that reaches a package index can install.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.progress import Progress

sys.path.insert(0, str(Path(__file__).parents[1]))  # this checkout, whatever is installed

from app.cli import console, errors, evaluation_table, run, stop, write_json
from app.core.evaluating.evaluation import Evaluation
from app.core.photo.dataset import list_categories, read_test_split

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 180
CAMERAS = {"elpv_mono": "line-1", "elpv_poly": "line-2"}
PHOTOS = 20  # of each camera, to look at


def main(
    preset: Annotated[str, typer.Option(help="The method to build both banks with.")] = (
        "embedded-patch"
    ),
    data: Annotated[Path, typer.Option(help="Where the ELPV folders go.")] = ROOT / "data/elpv",
    models: Annotated[Path, typer.Option(help="Where the banks go.")] = ROOT / "models/demo",
    reports: Annotated[Path, typer.Option(help="Where results go.")] = ROOT / "reports/demo",
    leave: Annotated[bool, typer.Option("--exit", help="Stop after the summary.")] = False,
) -> None:
    """Run the whole demo."""
    console.rule("[bold]1. real photos, sorted into the folder layout")
    run_script("prepare_elpv.py", "--out", str(data))
    console.rule("[bold]2. a memory bank per category, from good photos only")
    run_script("build_bank.py", "--data", str(data), "--preset", preset, "--models", str(models))
    console.rule("[bold]3. the service")
    settings = {
        "GOODSGUARD_MODELS_DIR": str(models),
        "GOODSGUARD_DATA_DIR": str(data),
        "GOODSGUARD_REPORTS_DIR": str(reports),
        "GOODSGUARD_RECORDS_DIR": str(reports / "records"),
        "GOODSGUARD_CAMERAS": str(cameras_file(reports)),
        "GOODSGUARD_LOG_LEVEL": "warning",
    }
    with server(settings) as address:
        console.print(f"serving at {address}")
        with httpx.Client(base_url=address, timeout=60) as client:
            categories = list_categories(data)
            for category in categories:
                show_scores(client, data, category)
            console.rule("[bold]4. evaluation through the service")
            evaluations = [run_evaluation(client, category) for category in categories]
            n = sum(as_cameras(client, data, category) for category in categories)
        console.print(evaluation_table(evaluations))
        write_json(reports / "summary.json", evaluations)
        console.print(f"written: {reports / 'summary.json'}")
        if not leave:
            console.rule("[bold]5. it goes on serving")
            console.print(f"{n} more photos were judged, as if two cameras had sent them")
            console.print(f"[bold]look at them: {address}/[/bold]", highlight=False)
            console.print(f"programs: {address}/docs, or POST a photo; Ctrl-C ends it")
            wait_for_interrupt()


def run_script(name: str, *arguments: str) -> None:
    """Run one of our scripts as a user would; stop where it fails."""
    command = [sys.executable, str(ROOT / "scripts" / name), *arguments]
    shown = ["python", f"scripts/{name}", *arguments]
    console.print("$ " + " ".join(shown).replace(f"{ROOT}/", ""), style="dim", soft_wrap=True)
    if status := subprocess.run(command, check=False, cwd=ROOT).returncode:
        raise stop(f"{name} ended with status {status}")


@contextmanager
def server(settings: dict[str, str]) -> Iterator[str]:
    """The real service as a process of its own, on a free loopback port, until the block ends."""
    address = f"127.0.0.1:{free_port()}"
    host, port = address.split(":")
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--factory",
        "app.main:create_app",
        "--host",
        host,
        "--port",
        port,
    ]
    console.print(f"$ uvicorn --factory app.main:create_app --port {port}", style="dim")
    process = subprocess.Popen(
        [*command, "--no-access-log", "--no-server-header", "--log-level", "warning"],
        cwd=ROOT,
        env=os.environ | settings,
    )
    try:
        wait_until_ready(process, f"http://{address}")
        yield f"http://{address}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port(preferred: int = 8000) -> int:
    """The preferred port where it is free, else any."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise stop("no free port on 127.0.0.1")


def wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    """Poll /readyz until it answers 200, the process ends, or time is up."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise stop(f"the service ended with status {process.returncode}")
        try:
            answer = httpx.get(f"{address}/readyz", timeout=5)
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code == 200:
            return
        raise stop(f"the service is not ready: {answer.text}")
    raise stop(f"the service did not start within {START_TIMEOUT_S} s")


def show_scores(client: httpx.Client, data: Path, category: str) -> None:
    """Post one good and one defective photo, each the middle of its list, and print the answers."""
    split = read_test_split(data, category).test
    good = [image for image in split if not image.is_defective]
    defective = [image for image in split if image.is_defective]
    for image in (good[len(good) // 2], defective[len(defective) // 2]):
        with image.path.open("rb") as file:
            answer = client.post(f"/score/{category}", files={"file": file}).raise_for_status()
        console.print(f"a {image.defect_type} photo: POST /score/{category} {image.path.name}")
        console.print_json(json.dumps(_without_heatmap(answer.json())), indent=None)


def cameras_file(folder: Path) -> Path:
    """Two cameras that send whole photos, each of one category."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cameras.toml"
    path.write_text("".join(f"[cameras.{name}]\n" for name in CAMERAS.values()), encoding="utf-8")
    return path


def as_cameras(client: httpx.Client, data: Path, category: str) -> int:
    """Post some test photos of either kind as the category's camera would; how many."""
    split = sorted(read_test_split(data, category).test, key=lambda image: image.path.name)
    photos = split[:: max(1, len(split) // PHOTOS)][:PHOTOS]
    for image in photos:
        with image.path.open("rb") as file:
            camera = {"camera": CAMERAS[category]}
            answer = client.post(f"/score/{category}", files={"file": file}, params=camera)
        answer.raise_for_status()
    return len(photos)


def _without_heatmap(answer: dict[str, Any]) -> dict[str, Any]:
    if answer.get("heatmap_png"):
        answer["heatmap_png"] = "…"
    return answer


def run_evaluation(client: httpx.Client, category: str) -> Evaluation:
    """Start an evaluation and follow its progress to the end."""
    client.post(f"/evaluate/{category}").raise_for_status()
    with Progress(console=errors) as bar:
        task = bar.add_task(f"POST /evaluate/{category}", total=None)
        while True:
            status = client.get(f"/evaluate/{category}").raise_for_status().json()
            bar.update(
                task, completed=status["progress"]["done"], total=status["progress"]["total"]
            )
            if status["state"] == "done":
                return Evaluation.model_validate(status["result"])
            if status["state"] == "failed":
                raise stop(f"the evaluation of {category} failed: {status['error']}")
            time.sleep(0.5)


def wait_for_interrupt() -> None:
    """Sleep until Ctrl-C."""
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("\nstopped")


if __name__ == "__main__":
    run(main)

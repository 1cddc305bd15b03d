"""The README's pictures of the page: drawn goods, the real service, a real browser.

    python -m tests.e2e.screenshots

No photo of any data set may be part of the repository, so the goods are drawings.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from PIL import Image

from app.cli import console, run
from scripts.draw_example import draw_can
from tests.e2e.browser import SCREEN, Browser, browsing
from tests.e2e.process import Server, run_script, running
from tests.support import ROOT

# A category, its camera, and the order in which its cans take the drawn one's colours.
SORTS = (
    ("cola", "shelf-1", (0, 1, 2)),
    ("lime", "shelf-2", (1, 0, 2)),
    ("water", "till", (2, 1, 0)),
)
N_GOOD, N_SENT = 40, 12
DAMAGED = {"cola": (3, 10), "lime": (11,), "water": (5, 9)}


def main(
    out: Annotated[Path, typer.Option(help="The folder of the pictures.")] = ROOT / "docs",
) -> None:
    """Write page-now.png and page-review.png."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        build(root)
        cameras = root / "cameras.toml"
        cameras.write_text("".join(f"[cameras.{camera}]\n" for _, camera, _ in SORTS))
        values: dict[str, Any] = {
            "models_dir": root / "models",
            "records": "on",
            "records_dir": root / "records",
            "records_photos": "all",
            "cameras": cameras,
            "device": "cpu",
        }
        with running(root / "log", **values) as server, browsing(root / "profile") as browser:
            for number in range(N_SENT):
                for name, camera, colours in SORTS:
                    damaged = number in DAMAGED[name]
                    send(server.client, name, camera, drawn(200 + number, colours, damaged))
            take(browser, server, out)
    console.print(f"written: {out / 'page-now.png'}, {out / 'page-review.png'}")


def take(browser: Browser, server: Server, out: Path) -> None:
    browser.look(SCREEN)
    browser.get(f"{server.client.base_url}/page/now")
    browser.wait.until(lambda b: "Live" in b.find("main").text)
    browser.wait.until(lambda b: b.execute_script(_LOADED))
    save(browser, out / "page-now.png")
    browser.look((SCREEN[0], 820), dark=True)
    browser.get(f"{server.client.base_url}/page/review")
    browser.find("img.overlay")
    browser.wait.until(lambda b: b.execute_script(_LOADED))
    save(browser, out / "page-review.png")


_LOADED = "return [...document.images].every(one => one.complete && one.naturalWidth)"


def save(browser: Browser, path: Path) -> None:
    browser.photograph(path)
    with Image.open(path) as picture:
        # 256 colours are enough for a page, and a quarter of the bytes.
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def build(root: Path) -> None:
    for name, _, colours in SORTS:
        train = root / "data" / name / "train" / "good"
        train.mkdir(parents=True)
        for seed in range(N_GOOD):
            (train / f"{seed:04}.png").write_bytes(drawn(seed, colours))
    done = run_script(
        "build_bank.py", "--data", root / "data", "--preset", "embedded-patch", "--alpha", "0.05",
        "--models", root / "models", "--device", "cpu",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def drawn(seed: int, colours: tuple[int, int, int], damaged: bool = False) -> bytes:
    can = np.asarray(draw_can(seed, damaged=damaged))[..., list(colours)]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(can)).save(buffer, "PNG")
    return buffer.getvalue()


def send(client: httpx.Client, category: str, camera: str, photo: bytes) -> None:
    answer = client.post(
        f"/score/{category}", files={"file": ("p.png", photo)}, params={"camera": camera}
    )
    assert answer.status_code == 200, answer.text


if __name__ == "__main__":
    run(main)

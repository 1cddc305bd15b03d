"""From a key to the next photo on the page Review: 100 photos, decided one after the other.

    python -m bench.reviewing --data /path/to/data --category elpv_mono --models models

The real service on one core of threads, with the bank of the category, and a real Chromium without
a screen, on the same machine. Photos of the test split, some of them enlarged and all of them made
unlike each other by a few pixels, are scored first; then `g` is pressed as soon as each photo is
painted (nobody is as fast), or so many seconds after. The page itself measures: from the key's
event to the second frame after the next photo was put in its place and decoded.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from app.cli import console
from app.core.files import write_whole
from app.core.photo.dataset import read_test_split
from bench import tables
from bench.machine import CategoryOption, DataOption, Figures, OutOption, QuickOption, Run
from tests.e2e.browser import SCREEN, Browser, browsing
from tests.e2e.process import Server, running

LIMIT_S = 0.3
# Longer side of the photo, 0: as it is; seconds from its being painted to the key.
CASES = ((0, 0.0), (3000, 0.0), (3000, 0.5))

_WATCH = """
let pressed = 0;
window.taken = [];
addEventListener("keydown", (event) => (pressed = event.timeStamp), true);
const shown = ({ detail }) => pressed && taken.push(detail.at - pressed);
document.addEventListener("review:shown", shown);
"""


def photos(data: Path, category: str, side: int, number: int) -> Iterator[bytes]:
    """JPEG bytes, each of them another photo."""
    found = [image.path for image in read_test_split(data, category).test]
    for i in range(number):
        with Image.open(found[i % len(found)]) as opened:
            photo = opened.convert("RGB")
        if side:
            scale = side / max(photo.size)
            photo = photo.resize((round(photo.width * scale), round(photo.height * scale)))
        photo.putpixel((i, 0), (255, i % 256, 0))
        buffer = io.BytesIO()
        photo.save(buffer, "JPEG", quality=92)
        yield buffer.getvalue()


def measure(server: Server, browser: Browser, number: int, pause_s: float) -> list[float]:
    """Milliseconds from each key to the next photo."""
    browser.get(f"{server.client.base_url}/page/review")
    browser.wait.until(lambda b: b.execute_script("return window.review?.card?.id"))
    browser.execute_script(_WATCH)
    for done in range(number - 1):
        time.sleep(pause_s)
        browser.switch_to.active_element.send_keys("g")
        while browser.execute_script("return taken.length") <= done:
            time.sleep(0.002)
    browser.switch_to.active_element.send_keys("g")
    browser.wait.until(lambda b: b.execute_script("return review.outbox.items.length") == 0)
    taken: list[float] = browser.execute_script("return taken")
    return taken


def markdown(figures: Figures) -> list[str]:
    """The table."""
    return tables.table(
        ("photo", "key after", "photos", "median ms", "p95 ms", "longest ms"),
        [
            [
                row["photo"],
                "at once" if not row["pause_s"] else f"{row['pause_s']:g} s",
                str(row["photos"]),
                *(tables.number(row[name]) for name in ("median_ms", "p95_ms", "max_ms")),
            ]
            for row in figures["rows"]
        ],
    )


def main(
    data: DataOption,
    models: Annotated[Path, typer.Option(help="Where the category's bank lies.")],
    category: CategoryOption = "elpv_mono",
    quick: QuickOption = False,
    out: OutOption = None,
) -> None:
    """Score, decide, print, write reviewing.json and reviewing.md."""
    run, number = Run("reviewing", out, 1, quick=quick), 10 if quick else 100
    rows: list[Figures] = []
    for side, pause_s in CASES:
        with TemporaryDirectory() as name:
            folder = Path(name)
            with (
                running(
                    folder / "log",
                    models_dir=models,
                    data_dir=data,
                    records_dir=folder / "records",
                    records="on",
                    records_photos="all",
                    threads="1",
                    device="cpu",
                ) as server,
                browsing(folder / "profile") as browser,
            ):
                browser.look(SCREEN)
                sizes = []
                for photo in photos(data, category, side, number):
                    image = server.score(photo, category)["image"]
                    sizes.append(len(photo))
                taken = measure(server, browser, number, pause_s)
        assert len(taken) == number - 1
        kib = round(float(np.median(sizes)) / 1024)
        rows.append(
            {
                "photo": f"{image['width']} × {image['height']}, {kib:,} KiB",
                "pause_s": pause_s,
                "photos": number,
                "median_ms": round(float(np.median(taken)), 1),
                "p95_ms": round(float(np.percentile(taken, 95)), 1),
                "max_ms": round(max(taken), 1),
                "over_limit": sum(one > 1000 * LIMIT_S for one in taken),
            }
        )
    figures: Figures = {"limit_ms": 1000 * LIMIT_S, "rows": rows}
    file = run.write(figures)
    lines = markdown(figures)
    text = "\n".join(
        [
            "# From a key to the next photo",
            "",
            *lines,
            "",
            f"Needed: {1000 * LIMIT_S:g} ms at most.",
        ]
    )
    write_whole(file.with_suffix(".md"), text + "\n")
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)

"""What it costs a busy service to record its verdicts: throughput and latency with and without.

    python scripts/build_bank.py --data FOLDER --category bottle --preset patch --models MODELS
    python -m bench.recording --data FOLDER --category bottle --models MODELS

Two services of the same bank run beside each other, one of which records; wrk asks them in turn,
A B B A …, so that each idles while the other works, and whatever else the machine does meets both.
Photos of the test split, one in 50 of them defective, are sent with a tail of their own each: no
two have the same bytes, and each is hashed, drawn small and written as a store's would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, get_args

import httpx
import numpy as np
import typer

from app.cli import ModelsOption, ThreadsOption, WeightsOption, console, stop
from app.core.errors import GoodsGuardError
from app.core.photo.dataset import read_test_split
from app.records.keeping import Keep
from bench import tables
from bench.machine import CategoryOption, DataOption, Figures, OutOption, QuickOption, Run
from bench.rounds import Spread, ratio
from bench.service import Answers, Server, ask, find_wrk, running, settings
from bench.stock import jpeg

# One photo in so many is defective.
_DEFECTIVE_OF = 50
_SIDE = (900, 900)
ON, OFF = "on", "off"


def photos(data: Path, category: str, folder: Path) -> list[Path]:
    """JPEGs of the test split, a defective one among good ones.

    Raises:
        GoodsGuardError: there is no such split.
    """
    test = read_test_split(data, category).test
    good = [image.path for image in test if not image.is_defective]
    defective = next(image.path for image in test if image.is_defective)
    chosen = [*(good * _DEFECTIVE_OF)[: _DEFECTIVE_OF - 1], defective]
    made = [folder / f"{number}.jpg" for number in range(len(chosen))]
    for source, path in zip(chosen, made, strict=True):
        path.write_bytes(jpeg(source, _SIDE))
    return made


def in_turn(
    servers: dict[str, Server], path: str, sent: Sequence[Path], clients: int, rounds: int, s: float
) -> dict[str, list[Answers]]:
    """Each server's turns, one a round, in an order that turns round."""
    found: dict[str, list[Answers]] = {name: [] for name in servers}
    for number in range(rounds):
        names = list(servers)[:: 1 if number % 2 else -1]
        for name in names:
            url = f"{servers[name].address}{path}"
            found[name].append(ask(url, sent[0], clients, s, *sent[1:]))
    return found


def compared(found: dict[str, list[Answers]], clients: int) -> Figures:
    """How recording changes them: ratios within a round."""
    served = {name: [turn.served() for turn in turns] for name, turns in found.items()}
    rates = {name: [turn.per_second() for turn in turns] for name, turns in found.items()}
    p50 = {
        name: float(np.median([ms for turn in turns for ms in turn]))
        for name, turns in served.items()
    }
    per = [on / off for on, off in zip(rates[ON], rates[OFF], strict=True)]
    return {
        "clients": clients,
        "requests": sum(map(len, served[ON])),
        "p50_ms_off": round(p50[OFF], 3),
        "p50_ms_on": round(p50[ON], 3),
        "p50_ratio": ratio(served[ON], served[OFF]),
        "p50_ratio_of_all": round(p50[ON] / p50[OFF], 4),
        "per_second_off": round(float(np.median(rates[OFF])), 2),
        "per_second_on": round(float(np.median(rates[ON])), 2),
        "throughput_ratio": Spread.of(per).__dict__,
        "throughput_ratio_of_all": round(sum(rates[ON]) / sum(rates[OFF]), 4),
        "failed": sum(turn.lost for turns in found.values() for turn in turns)
        + sum(a.status != 200 for turns in found.values() for turn in turns for a in turn.answers),
    }


def markdown(figures: Figures) -> list[str]:
    """The table of recording.json."""
    return tables.table(
        (
            "photos kept, clients",
            "p50 off, ms",
            "p50 on / off",
            "images / s off",
            "on / off",
            "requests",
        ),
        [
            [
                f"{row['photos_kept']}, {row['clients']}",
                tables.number(row["p50_ms_off"]),
                tables.spread(row["p50_ratio"]),
                tables.number(row["per_second_off"]),
                tables.spread(row["throughput_ratio"]),
                str(row["requests"]),
            ]
            for row in figures["rows"]
        ],
    )


def recorded(server: Server) -> dict[str, float]:
    """What the service's metrics say of its records."""
    text = httpx.get(f"{server.address}/metrics", timeout=10).text
    lines = [
        line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("goodsguard_records")
    ]
    return {name.removeprefix("goodsguard_records_"): float(value) for name, value in lines}


def main(
    data: DataOption = Path("data/elpv"),
    category: CategoryOption = "elpv_mono",
    models: ModelsOption = Path("models"),
    weights: WeightsOption = None,
    threads: ThreadsOption = 0,
    clients: Annotated[list[int] | None, typer.Option(help="How many ask at once.")] = None,
    keep: Annotated[list[str] | None, typer.Option(help="Which photos are kept.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each service.")] = 40,
    seconds: Annotated[int, typer.Option(min=1, help="Of one turn.")] = 2,
    quick: QuickOption = False,
    out: OutOption = None,
) -> None:
    """Measure, print, write recording.json."""
    find_wrk()
    run = Run("recording", out, threads, quick=quick)
    rounds, seconds = (2, 2) if quick else (rounds, seconds)
    kept = keep or ["anomalous"]
    if unknown := set(kept) - set(get_args(Keep)):
        raise stop(f"photos kept cannot be {', '.join(sorted(unknown))}")
    rows, said = [], {}
    for one in kept:
        with TemporaryDirectory() as name, ExitStack() as stack:
            folder = Path(name)
            try:
                sent = photos(data, category, folder)
            except GoodsGuardError as exc:
                raise stop(str(exc)) from exc
            servers = {}
            for state in (OFF, ON):
                environment = settings(folder, models, weights, run.threads) | {
                    "GOODSGUARD_RECORDS": state,
                    "GOODSGUARD_RECORDS_PHOTOS": one,
                }
                servers[state] = stack.enter_context(running(environment, folder / f"log-{state}"))
            path = f"/score/{category}"
            for number in clients or (1, 8):
                in_turn(servers, path, sent, number, 2, 3)  # warms up
                found = in_turn(servers, path, sent, number, rounds, seconds)
                rows.append({"photos_kept": one, **compared(found, number)})
                console.print(rows[-1], markup=False, highlight=False, soft_wrap=True)
            said[one] = recorded(servers[ON])
    figures: Figures = {"set": category, "photo": list(_SIDE), "rows": rows, "metrics": said}
    run.write(figures)
    console.print("\n".join(markdown(figures)), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)

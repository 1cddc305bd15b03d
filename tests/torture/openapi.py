"""Requests made up from the OpenAPI document against the real service (Schemathesis).

python -m tests.torture.openapi [--examples 300] [--seed 1] [--report DIR]
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from tests.torture import banks
from tests.torture.requests import CATEGORY
from tests.torture.service import REPORT, Report, ReportOption, port_of, serving

KEY = "of-this-run"
# Made-up names of categories would never reach a bank, and a client that gives the service no time
# gets the 504 it asked for.
_CONFIG = f"""
[parameters]
"path.category" = "{CATEGORY}"
"header.x-request-timeout" = "10"
"""
# A photo is any bytes to the document, and most bytes are no photo; headers that nobody knows are
# no fault.
_NOT_PROMISED = "positive_data_acceptance,negative_data_rejection"
_SUMMARY_LINES = 40


def main(
    examples: Annotated[int, typer.Option(min=1, help="Per call and phase.")] = 300,
    seed: int = 1,
    report: ReportOption = REPORT,
) -> None:
    """Hold every answer against the document."""
    found = Report("openapi", "Requests made up from the OpenAPI document")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        models = folder / "models"
        banks.store_bank(models, banks.make_bank(folder / "data", CATEGORY))
        holder = f"tester:admin:sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"
        with serving(folder, models, api_keys=holder, log_level="error") as server:
            config = folder / "schemathesis.toml"
            config.write_text(_CONFIG)
            done = subprocess.run(
                [
                    str(Path(sys.executable).parent / "schemathesis"),
                    "--config-file", str(config), "run",
                    f"http://127.0.0.1:{port_of(server)}/openapi.json", "--no-color",
                    "--header", f"X-API-Key: {KEY}", "--exclude-checks", _NOT_PROMISED,
                    "--max-examples", str(examples), "--seed", str(seed),
                    "--request-timeout", "10", "--continue-on-failure",
                ],
                cwd=folder, capture_output=True, text=True, check=False,
            )  # fmt: skip
            found.check(server.process.poll() is None, "the service ended")
            found.check("Traceback" not in server.log.read_text(), "the service logged a traceback")
    said = done.stdout.strip().splitlines()
    report.mkdir(parents=True, exist_ok=True)
    (report / "openapi.txt").write_text(done.stdout + done.stderr)
    found.check(done.returncode == 0, "answers are not as documented: see openapi.txt")
    found.figures |= {"examples": examples, "seed": seed, "status": done.returncode}
    found.lines += ["```", *said[-_SUMMARY_LINES:], "```"]
    found.conclude(report)


if __name__ == "__main__":
    typer.run(main)

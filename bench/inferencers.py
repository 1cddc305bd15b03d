"""anomalib's inferencers as contenders: a child process in anomalib's environment, asked in turn.

The child does nothing while it is not asked, so that its turns and ours can alternate.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from app.cli import console, stop
from app.core.building.preset import Preset
from app.core.features.weights import WeightsFile
from bench.rounds import Turn

ROOT = Path(__file__).parents[1]
# Beside what `bench/accuracy.py` installs there: our OpenVINO, and what anomalib exports with.
EXTRA = (f"openvino=={metadata.version('openvino')}", "onnx", "onnxscript")

Pixels = npt.NDArray[np.uint8]


def prepare_environment(python: Path) -> None:
    """Install what anomalib needs to export to OpenVINO, once."""
    stamp = python.parents[1] / "requirements-openvino.txt"
    wanted = "\n".join(EXTRA) + "\n"
    if not stamp.is_file() or stamp.read_text() != wanted:
        console.print(f"installing {', '.join(EXTRA)} beside anomalib")
        subprocess.run([python, "-m", "pip", "install", "--quiet", *EXTRA], check=True)
        stamp.write_text(wanted)


class Inferencers(AbstractContextManager["Inferencers"]):
    """The running child.

    Attributes:
        names: what can be asked, `<engine> <vectors>`. versions: of its libraries.
    """

    def __init__(
        self,
        python: Path,
        preset: Preset,
        weights: WeightsFile,
        banks: Sequence[int],
        train: Pixels,
        photos: Pixels,
        threads: int,
    ) -> None:
        """Takes the banks' sizes, and (n, S, S, 3) prepared photos to fill them with and to answer
        for; waits until it is ready.

        Raises:
            typer.Exit: it ended before that.
        """
        self._folder = TemporaryDirectory()
        folder = Path(self._folder.name)
        np.save(folder / "train.npy", train)
        np.save(folder / "photos.npy", photos)
        job = {
            "threads": threads,
            "backbone": preset.features.backbone,
            "layers": list(preset.features.layers),
            "input_size": preset.features.preprocess.input_size,
            "weights": str(weights.path.resolve()),
            "banks": list(banks),
            "train": str(folder / "train.npy"),
            "photos": str(folder / "photos.npy"),
            "folder": str(folder),
        }
        (folder / "job.json").write_text(json.dumps(job))
        with (folder / "log").open("w") as log:
            self._child = subprocess.Popen(
                [python, "-P", "-m", "bench.peer_inferencers", folder / "job.json"],
                env=os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)},
                cwd=folder,  # it leaves a cache where it stands
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        ready = self._answer()
        self.names: list[str] = ready["names"]
        self.versions: dict[str, str] = ready["versions"]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait()
        self._folder.cleanup()

    def turn(self, name: str) -> Turn:
        """A contender: predictions of the first photo."""
        return lambda calls: list(self._ask({"time": name, "calls": calls})["ms"])

    def scores(self, name: str) -> npt.NDArray[np.float64]:
        """(n,) image scores of the photos."""
        return np.array(self._ask({"score": name})["scores"])

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(question) + "\n")
        self._child.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        if not (line := self._child.stdout.readline()):
            self._child.wait()
            sys.stderr.write((Path(self._folder.name) / "log").read_text()[-2000:])
            raise stop("anomalib's process ended; its last words stand above")
        found: dict[str, Any] = json.loads(line)
        return found

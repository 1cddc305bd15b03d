"""anomalib's inferencers, one image at a time on demand; runs in its environment, as a child.

    python -P -m bench.peer_inferencers JOB.json        (PYTHONPATH: the project's root)

anomalib's code untouched: its `Patchcore` gets the job's weights, embeds the training photos in
training mode, keeps as many patches as asked for by the draw that ours are kept by, is exported by
its own `to_torch` and `to_openvino`, and `TorchInferencer` and `OpenVINOInferencer` answer. What
is left open there is set to their good: images come at the network's size in float32, so that
nothing has to be resized or converted; the export is of one image (2.7.0 writes a model that takes
two at a time where its batch is left dynamic). OpenVINO is asked twice: as the class takes it by
itself, which is bfloat16 where the processor computes in it, and in float32.

It says on standard output, a JSON object per line, what can be asked, then answers each line:

    {"time": NAME, "calls": N}   {"ms": [...]}: N predictions of the first photo
    {"score": NAME}              {"scores": [...]}: of every photo
"""

# torch and anomalib are installed in that environment only, and have types of their own there.
# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call"

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import IO, Any

# Importing OpenVINO reports that over the network, unless its reporter cannot be imported.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from anomalib.deploy import OpenVINOInferencer, TorchInferencer  # noqa: E402
from anomalib.models import Patchcore  # noqa: E402

from bench.peer_anomalib import read_weights  # noqa: E402

Job = dict[str, Any]
Predict = Callable[[], Any]

BATCH = 16
FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}


def main(job_file: str) -> None:
    answers = _own_output()
    job: Job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    photos = read_photos(job["photos"])
    found = dict(inferencers(job))
    packages = ("anomalib", "torch", "openvino", "onnx", "onnxscript")
    versions = {name: metadata.version(name) for name in packages}
    _say(answers, {"names": list(found), "versions": versions})
    for line in sys.stdin:
        _say(answers, answer(json.loads(line), found, photos))


def inferencers(job: Job) -> Iterator[tuple[str, Any]]:
    """Each bank on each engine; names are `<engine> <vectors>`."""
    os.environ["TRUST_REMOTE_CODE"] = "1"  # TorchInferencer reads a pickle: the one written here
    threads = {"INFERENCE_NUM_THREADS": job["threads"]}
    size = (job["input_size"], job["input_size"])
    model = load(job)
    patches = embed(model, job["train"])
    for vectors in job["banks"]:
        chosen = np.random.default_rng(0).choice(len(patches), vectors, replace=False)
        model.model.memory_bank = patches[np.sort(chosen)].clone()
        folder = Path(job["folder"]) / str(vectors)
        yield f"torch {vectors}", TorchInferencer(model.to_torch(folder), device="cpu")
        options = {"dynamic_axes": None, "opset_version": 18}
        exported = model.to_openvino(folder, input_size=size, onnx_kwargs=options)
        for name, precision in (("openvino", {}), ("openvino-f32", FLOAT32)):
            config = threads | precision
            yield f"{name} {vectors}", OpenVINOInferencer(exported, device="CPU", config=config)


def load(job: Job) -> Any:
    """anomalib's model, every parameter and buffer of its network from the job's file."""
    model = Patchcore(backbone=job["backbone"], layers=job["layers"], pre_trained=False)
    network = model.model.feature_extractor.feature_extractor
    stored = read_weights(job["weights"])
    network.load_state_dict({name: stored[name] for name in network.state_dict()}, strict=True)
    return model


@torch.inference_mode()
def embed(model: Any, file: str) -> torch.Tensor:
    """(P, D) of all training photos."""
    model.train()
    photos = read_photos(file)
    for first in range(0, len(photos), BATCH):
        model.model(model.pre_processor(torch.from_numpy(photos[first : first + BATCH])))
    patches = torch.vstack(model.model.embedding_store)
    model.model.embedding_store.clear()
    model.eval()
    return patches


def read_photos(file: str) -> Any:
    """(n, S, S, 3) uint8 -> (n, 3, S, S) float32 in [0, 1]."""
    return np.load(file).transpose(0, 3, 1, 2).astype(np.float32) / 255


def answer(question: Job, found: dict[str, Any], photos: Any) -> Job:
    if "time" in question:
        predict = _predictions(found[question["time"]], photos[0])
        return {"ms": [_milliseconds(predict) for _ in range(question["calls"])]}
    inferencer = found[question["score"]]
    scores = [_predictions(inferencer, photo)().pred_score for photo in photos]
    return {"scores": [float(np.asarray(score).reshape(-1)[0]) for score in scores]}


def _predictions(inferencer: Any, photo: Any) -> Predict:
    image = torch.from_numpy(photo) if isinstance(inferencer, TorchInferencer) else photo
    return lambda: inferencer.predict(image)


def _milliseconds(call: Predict) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def _own_output() -> IO[str]:
    """Standard output for the answers alone: what the libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _say(answers: IO[str], found: Job) -> None:
    answers.write(json.dumps(found) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])

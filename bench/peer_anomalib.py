"""anomalib's side of the benches; runs in its own environment and shares no code with the project.

    python bench/peer_anomalib.py JOB.json OUT.npz

JOB names what is to be measured, OUT takes the arrays and, as text, the figures:

    patchcore   `PatchcoreModel`, anomalib's code untouched: forward passes in training mode collect
                the embeddings, `subsample_embedding` makes the memory bank, a forward pass in
                evaluation mode scores. Photos are read and resized by anomalib's own functions.
                Its Lightning engine is left out: it would call the same four in the same order.
    coreset     `KCenterGreedy` on given vectors, for two small numbers of picks: the difference
                is what a pick costs, the rest is the projection before the first.
"""

# torch and anomalib are installed in that environment only, and have types of their own there.
# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call,attr-defined"

from __future__ import annotations

import json
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomalib.data.utils import read_image
from anomalib.models import Patchcore
from anomalib.models.components import KCenterGreedy
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from safetensors.torch import load_file

BATCH = 16

Job = dict[str, Any]
Figures = dict[str, Any]
Arrays = dict[str, Any]


def main(job_file: str, out: str) -> None:
    job: Job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    figures, arrays = {"patchcore": patchcore, "coreset": coreset}[job["what"]](job)
    figures["versions"] = {name: metadata.version(name) for name in ("anomalib", "torch")}
    np.savez(out, figures=json.dumps(figures), **arrays)


@torch.inference_mode()
def patchcore(job: Job) -> tuple[Figures, Arrays]:
    """Memory bank from `train`, score and map of every image of `test`."""
    model, device = load_model(job), torch.device(job["device"])
    size = (job["input_size"], job["input_size"])
    transform = Patchcore.configure_pre_processor(image_size=size).transform

    def read(paths: list[str]) -> torch.Tensor:
        return torch.stack([transform(read_image(path, as_tensor=True)) for path in paths])

    start = time.perf_counter()
    model.train()
    for first in range(0, len(job["train"]), BATCH):
        model(read(job["train"][first : first + BATCH]).to(device))
    embedded = time.perf_counter()
    model.subsample_embedding(job["ratio"])
    built = time.perf_counter()

    model.eval()
    scores, maps = [], []
    for path in job["test"]:  # one by one, as a service gets them
        answer = model(read([path]).to(device))
        scores.append(float(answer.pred_score))
        if job["maps"]:
            maps.append(answer.anomaly_map.squeeze().cpu().numpy())
    scored = time.perf_counter()
    figures = {
        "vectors": len(model.memory_bank),
        "dimensions": model.memory_bank.shape[1],
        "embed_s": embedded - start,
        "coreset_s": built - embedded,
        "build_s": built - start,
        "s_per_image": (scored - built) / len(job["test"]),
    }
    return figures, {"scores": np.array(scores), "maps": np.array(maps, dtype=np.float32)}


def load_model(job: Job) -> Any:
    """anomalib's model on the given weights: every parameter and buffer comes from the file."""
    model = PatchcoreModel(job["layers"], job["backbone"], pre_trained=False)
    network = model.feature_extractor.feature_extractor
    stored = read_weights(job["weights"])
    # What lies behind the last layer is not in the network; all that is in it must be there.
    network.load_state_dict({name: stored[name] for name in network.state_dict()}, strict=True)
    return model.to(job["device"])


def read_weights(path: str) -> dict[str, torch.Tensor]:
    """A state dict, from safetensors or torch's own format."""
    if path.endswith(".safetensors"):
        return load_file(path)
    stored: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return stored


@torch.inference_mode()
def coreset(job: Job) -> tuple[Figures, Arrays]:
    """Seconds for each number of picks of `picks`, projection included."""
    vectors = torch.from_numpy(np.load(job["vectors"]))
    seconds = []
    for picks in job["picks"]:
        start = time.perf_counter()
        # Half a pick more, for the class truncates the product.
        KCenterGreedy(vectors, (picks + 0.5) / len(vectors)).select_coreset_idxs()
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds}, {}


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The textbook greedy k-centre loop against `app/core/methods/knn/coreset.py`, on real patches.

    python -m bench.coreset --images FOLDER --weights RESNET18.safetensors
    python -m bench.coreset --images FOLDER --weights RESNET18.safetensors --stream 4000

The loop is that of common PatchCore implementations: distances after scikit-learn's
SparseRandomProjection(eps=0.9), one new centre per pass over all vectors. Its passes all cost the
same, so the first few are timed and the rest extrapolated; its picks for the covering radius come
from `greedy_k_center` on the same projected vectors, after a check that they begin as the loop's.
Where the environment that `bench/accuracy.py` makes is there, anomalib's own `KCenterGreedy` is
timed on the same vectors for two small numbers of picks, and extrapolated from their difference;
for want of its full set of picks it has no covering radius. `--stream` measures instead the memory
that `StreamingCoreset` needs for so many images: the given ones again and again, with noise.

Figures go to `coreset.json` and `coreset.md`, those of `--stream` to `coreset-stream.*`.
"""

import json
import os
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from sklearn.random_projection import SparseRandomProjection
from torchvision.models import resnet18

from app.core.arrays import Floats
from app.core.methods.knn.coreset import covering_radius, greedy_k_center
from app.core.methods.knn.streaming_coreset import StreamingCoreset

INPUT = 224
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
SEED = 0

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PEER = HERE.parent / ".venv-anomalib"  # as `bench/accuracy.py` makes it
# Its loop allocates a copy of all vectors for every pick; in large pages that takes half the time.
LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}

Row = dict[str, Any]


def read(path: Path) -> torch.Tensor:
    """An image as the network's (1, 3, 224, 224) float32 input."""
    with Image.open(path) as image:
        small = image.convert("RGB").resize((INPUT, INPUT), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1) / 255
    return ((pixels - MEAN) / STD)[None]


def patch_features(images: Path, weights: Path, limit: int) -> Iterator[Floats]:
    """Each image's (784, 384) float32 patches: ResNet18's layer2 and layer3, pooled 3 × 3."""
    net = resnet18(weights=None).eval()
    net.load_state_dict(load_file(weights), strict=False)  # layer4 and fc are not used
    stem = torch.nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1)
    files = sorted(path for path in images.iterdir() if path.is_file())
    for path in files[: limit or None]:
        with torch.inference_mode():
            fine = net.layer2(stem(read(path)))  # (1, 128, 28, 28)
            coarse = net.layer3(fine)  # (1, 256, 14, 14)
            pooled = [F.avg_pool2d(layer, 3, 1, 1) for layer in (fine, coarse)]
            pooled[1] = F.interpolate(pooled[1], size=fine.shape[-2:], mode="bilinear")
            patches = torch.cat(pooled, 1).flatten(2)[0].T  # (784, 384)
        yield np.ascontiguousarray(patches.numpy())


def textbook_picks(features: torch.Tensor, first: int, count: int) -> list[int]:
    """The loop as implementations write it: all (N, d) features are read for every pick."""
    nearest = torch.full((len(features),), torch.inf)
    picks = [first]
    for _ in range(count):
        distances = F.pairwise_distance(features, features[picks[-1] : picks[-1] + 1])
        nearest = torch.minimum(nearest, distances)
        picks.append(int(nearest.argmax()))
    return picks


def projected(vectors: Floats) -> Floats:
    sparse = SparseRandomProjection(eps=0.9, random_state=SEED).fit_transform(vectors)
    return np.ascontiguousarray(sparse, dtype=np.float32)


def bench_textbook(vectors: Floats, size: int, passes: int) -> Row:
    start = time.perf_counter()
    sparse = projected(vectors)
    projecting = time.perf_counter() - start
    chosen = greedy_k_center(sparse, size, seed=SEED)
    start = time.perf_counter()
    begins = textbook_picks(torch.from_numpy(sparse), int(chosen[0]), passes)
    seconds = projecting + (time.perf_counter() - start) / passes * size
    same = min(passes + 1, size)
    if begins[:same] != chosen[:same].tolist():
        raise SystemExit("greedy_k_center does not pick what the textbook loop picks")
    name = f"textbook loop, sparse projection to {sparse.shape[1]}"
    return {"method": name, "seconds": seconds, "extrapolated_from": passes} | radii(
        vectors, vectors[chosen]
    )


def bench_peer(vectors: Floats, size: int, passes: int, environment: Path) -> Row:
    """anomalib's class in its own environment; two runs tell a pick's cost from the projection's.

    It starts from a place of its own drawing, so that its picks cannot be compared one by one.
    """
    few, many = min(2, size), min(passes, size)
    with TemporaryDirectory() as folder:
        job_file, stored, out = (Path(folder) / n for n in ("job.json", "vectors.npy", "out.npz"))
        np.save(stored, vectors)
        job: Row = {"what": "coreset", "vectors": str(stored), "picks": [few, few, many]}
        job_file.write_text(json.dumps(job | {"seed": SEED, "threads": torch.get_num_threads()}))
        subprocess.run(
            [environment / "bin" / "python", "-P", HERE / "peer_anomalib.py", job_file, out],
            env=os.environ | LARGE_PAGES | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
            stderr=subprocess.DEVNULL,  # its progress bars
            check=True,
        )
        with np.load(out) as answer:
            figures = json.loads(str(answer["figures"]))
    _, short, long = figures["seconds"]  # the first run warmed it up
    per_pick = max(0.0, long - short) / max(1, many - few)
    return {
        "method": f"anomalib {figures['versions']['anomalib']}, KCenterGreedy",
        "seconds": short + per_pick * (size - few),
        "extrapolated_from": many,
        "covering_radius": None,
    }


def bench_greedy(vectors: Floats, size: int, projection_dims: int | None) -> Row:
    start = time.perf_counter()
    chosen = greedy_k_center(vectors, size, seed=SEED, projection_dims=projection_dims)
    seconds = time.perf_counter() - start
    name = f"greedy_k_center, Gaussian projection to {projection_dims}"
    return {
        "method": name if projection_dims else "greedy_k_center, no projection",
        "seconds": seconds,
    } | radii(vectors, vectors[chosen])


def bench_stream(vectors: Floats, size: int, multiple: int, share: int) -> Row:
    """With a buffer for one vector in `share`, reduced to `multiple` times the final size."""
    start = time.perf_counter()
    streamed = StreamingCoreset(multiple * size, seed=SEED, buffer_bytes=vectors.nbytes // share)
    for batch in np.array_split(vectors, 200):
        streamed.add(batch)
    kept, _ = streamed.finish(size)
    seconds = time.perf_counter() - start
    name = f"StreamingCoreset, buffer 1/{share} of all, reducing to {multiple} × size"
    return {"method": name, "seconds": seconds} | radii(vectors, kept)


def radii(vectors: Floats, centres: Floats) -> Row:
    """Measured in the full space, whatever space the picks were made in."""
    return {"covering_radius": covering_radius(vectors, centres)}


def stream_images(features: list[Floats], count: int, size: int, multiple: int) -> Row:
    """Memory and time for `count` images' patches; noise keeps repeated images from being equal."""
    rng = np.random.default_rng(SEED)
    noise = 0.1 * np.concatenate(features[:8]).std()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    streamed = StreamingCoreset(multiple * size, seed=SEED)
    for index in range(count):
        patches = features[index % len(features)]
        streamed.add(patches + noise * rng.standard_normal(patches.shape, dtype=np.float32))
    kept, _ = streamed.finish(size)
    return {
        "images": count,
        "vectors": streamed.seen,
        "input_gib": streamed.seen * kept.shape[1] * 4 / 2**30,
        "kept": len(kept),
        "seconds": time.perf_counter() - start,
        "peak_rss_gib_before": before / 2**20,
        "peak_rss_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def compare(vectors: Floats, size: int, passes: int, environment: Path) -> list[Row]:
    greedy_k_center(vectors[:5000], 100, seed=SEED)  # threads and libraries warmed up
    rows = [bench_textbook(vectors, size, passes)]
    if (environment / "bin" / "python").exists():
        rows.append(bench_peer(vectors, size, passes, environment))
    rows += [bench_greedy(vectors, size, dims) for dims in (None, 256, 128)]
    rows += [bench_stream(vectors, size, multiple, 4) for multiple in (1, 4)]
    for row in rows:
        row["times_faster"] = rows[0]["seconds"] / row["seconds"]
        radius = row["covering_radius"]
        row["radius_ratio"] = radius and radius / rows[0]["covering_radius"]
    return rows


def show(title: str, rows: list[Row]) -> None:
    table = Table(title=title)
    for name in columns(rows):
        table.add_column(name.replace("_", " "), justify="left" if name == "method" else "right")
    for row in rows:
        table.add_row(*cells(row, columns(rows)))
    Console(width=140).print(table)


def markdown(title: str, rows: list[Row]) -> str:
    names = columns(rows)
    table = [
        [name.replace("_", " ") for name in names],
        ["---"] * len(names),
        *(cells(row, names) for row in rows),
    ]
    lines = ["| " + " | ".join(line) + " |" for line in table]
    return "\n".join([f"# {title}", "", *NOTES, "", *lines]) + "\n"


NOTES = (
    "Made by `bench/coreset.py`. Vectors × dimensions → coreset; seconds from the vectors to the",
    "picks. Methods with a figure in *extrapolated from* were timed for so many picks only, for",
    "their passes all cost the same. Covering radius: in the full space, whatever space the picks",
    "were made in; *radius ratio* and *times faster* are relative to the first row. The memory of",
    "anomalib's process lay in large pages, to its advantage.",
)


def columns(rows: Sequence[Row]) -> list[str]:
    """All rows' figures, in the order in which they come first."""
    return list(dict.fromkeys(name for row in rows for name in row))


def cells(row: Row, names: Sequence[str]) -> list[str]:
    found = (row.get(name) for name in names)
    return [_cell(value) for value in found]


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main(
    images: Annotated[Path, typer.Option(help="a folder of good images")],
    weights: Annotated[Path, typer.Option(help="ResNet18's conv1 to layer3, safetensors")],
    ratio: Annotated[float, typer.Option(help="coreset size / vectors of the folder")] = 0.01,
    passes: Annotated[int, typer.Option(help="timed passes of the textbook loop")] = 60,
    stream: Annotated[int, typer.Option(help="measure memory for so many images instead")] = 0,
    multiple: Annotated[int, typer.Option(help="with --stream: reduce to so many × size")] = 1,
    threads: Annotated[
        int,
        typer.Option(envvar="GOODSGUARD_THREADS", help="fewer than cores where others use them"),
    ] = 0,
    limit: Annotated[int, typer.Option(help="only the first so many images; 0: all")] = 0,
    peer_environment: Annotated[Path, typer.Option(help="where anomalib is installed")] = PEER,
    out: Annotated[Path, typer.Option(help="where the .json and .md go")] = RESULTS,
) -> None:
    if threads:
        torch.set_num_threads(threads)
    features = list(patch_features(images, weights, limit))
    count = sum(map(len, features))
    size = max(1, int(count * ratio))
    if stream:
        rows = [stream_images(features, stream, size, multiple)]
    else:
        rows = compare(np.concatenate(features), size, passes, peer_environment)
    dims = features[0].shape[1]
    threads_used = torch.get_num_threads()
    title = f"Coreset: {count} × {dims} → {size}, threads: {threads_used}"
    show(title, rows)
    out.mkdir(parents=True, exist_ok=True)
    stem = out / ("coreset-stream" if stream else "coreset")
    figures = {"title": title, "threads": threads_used, "rows": rows}
    stem.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    stem.with_suffix(".md").write_text(markdown(title, rows))


if __name__ == "__main__":
    typer.run(main)

"""The textbook greedy k-centre loop against `app.core.coreset`, on patch features of real images.

    python bench/coreset.py --images FOLDER --weights RESNET18.safetensors [--json FILE]
    python bench/coreset.py --images FOLDER --weights RESNET18.safetensors --stream 4000

The loop is that of common PatchCore implementations: distances after scikit-learn's
SparseRandomProjection(eps=0.9), one new centre per pass over all vectors. Its passes all cost the
same, so the first few are timed and the rest extrapolated; its picks for the covering radius come
from `greedy_k_center` on the same projected vectors, after a check that they begin as the loop's.
`--stream` measures instead the memory that `StreamingCoreset` needs for so many images: the given
ones again and again, with noise.
"""

import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
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

from app.core.coreset import Vectors, covering_radius, greedy_k_center
from app.core.streaming_coreset import StreamingCoreset

INPUT = 224
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
SEED = 0

Row = dict[str, Any]


def read(path: Path) -> torch.Tensor:
    """An image as the network's (1, 3, 224, 224) float32 input."""
    with Image.open(path) as image:
        small = image.convert("RGB").resize((INPUT, INPUT), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1) / 255
    return ((pixels - MEAN) / STD)[None]


def patch_features(images: Path, weights: Path) -> Iterator[Vectors]:
    """Each image's (784, 384) float32 patches: ResNet18's layer2 and layer3, pooled 3 × 3."""
    net = resnet18(weights=None).eval()
    net.load_state_dict(load_file(weights), strict=False)  # layer4 and fc are not used
    stem = torch.nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1)
    for path in sorted(path for path in images.iterdir() if path.is_file()):
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


def projected(vectors: Vectors) -> Vectors:
    sparse = SparseRandomProjection(eps=0.9, random_state=SEED).fit_transform(vectors)
    return np.ascontiguousarray(sparse, dtype=np.float32)


def bench_textbook(vectors: Vectors, size: int, passes: int) -> Row:
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


def bench_greedy(vectors: Vectors, size: int, projection_dims: int | None) -> Row:
    start = time.perf_counter()
    chosen = greedy_k_center(vectors, size, seed=SEED, projection_dims=projection_dims)
    seconds = time.perf_counter() - start
    name = f"greedy_k_center, Gaussian projection to {projection_dims}"
    return {
        "method": name if projection_dims else "greedy_k_center, no projection",
        "seconds": seconds,
    } | radii(vectors, vectors[chosen])


def bench_stream(vectors: Vectors, size: int, multiple: int, share: int) -> Row:
    """With a buffer for one vector in `share`, reduced to `multiple` times the final size."""
    start = time.perf_counter()
    streamed = StreamingCoreset(multiple * size, seed=SEED, buffer_bytes=vectors.nbytes // share)
    for batch in np.array_split(vectors, 200):
        streamed.add(batch)
    kept, _ = streamed.finish(size)
    seconds = time.perf_counter() - start
    name = f"StreamingCoreset, buffer 1/{share} of all, reducing to {multiple} × size"
    return {"method": name, "seconds": seconds} | radii(vectors, kept)


def radii(vectors: Vectors, centres: Vectors) -> Row:
    """Measured in the full space, whatever space the picks were made in."""
    return {"covering_radius": covering_radius(vectors, centres)}


def stream_images(features: list[Vectors], count: int, size: int, multiple: int) -> Row:
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


def compare(vectors: Vectors, size: int, passes: int) -> list[Row]:
    greedy_k_center(vectors[:5000], 100, seed=SEED)  # threads and libraries warmed up
    rows = [bench_textbook(vectors, size, passes)]
    rows += [bench_greedy(vectors, size, dims) for dims in (None, 256, 128)]
    rows += [bench_stream(vectors, size, multiple, 4) for multiple in (1, 4)]
    for row in rows:
        row["times_faster"] = rows[0]["seconds"] / row["seconds"]
        row["radius_ratio"] = row["covering_radius"] / rows[0]["covering_radius"]
    return rows


def show(title: str, rows: list[Row]) -> None:
    table = Table(title=title)
    for name in rows[-1]:
        table.add_column(name.replace("_", " "), justify="left" if name == "method" else "right")
    for row in rows:
        cells = (row[name] for name in rows[-1])
        table.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells))
    Console(width=140).print(table)


def main(
    images: Annotated[Path, typer.Option(help="a folder of good images")],
    weights: Annotated[Path, typer.Option(help="ResNet18's conv1 to layer3, safetensors")],
    ratio: Annotated[float, typer.Option(help="coreset size / vectors of the folder")] = 0.01,
    passes: Annotated[int, typer.Option(help="timed passes of the textbook loop")] = 60,
    stream: Annotated[int, typer.Option(help="measure memory for so many images instead")] = 0,
    multiple: Annotated[int, typer.Option(help="with --stream: reduce to so many × size")] = 1,
    threads: Annotated[int, typer.Option(help="fewer than cores where others use them")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the figures here")] = None,
) -> None:
    if threads:
        torch.set_num_threads(threads)
    features = list(patch_features(images, weights))
    count = sum(map(len, features))
    size = max(1, int(count * ratio))
    if stream:
        rows = [stream_images(features, stream, size, multiple)]
    else:
        rows = compare(np.concatenate(features), size, passes)
    dims = features[0].shape[1]
    show(f"{count} × {dims} → {size}, {torch.get_num_threads()} threads", rows)
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)

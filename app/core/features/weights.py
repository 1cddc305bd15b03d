"""A backbone's weights: found in a file that was given or at their source, and loaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ..errors import PresetError, WeightsMismatch, WeightsNotFound
from .backbone import Backbone, FeatureMaps, StateDict
from .weight_sources import NOT_THERE, file_sha256

_WEIGHT_SUFFIXES = frozenset({".safetensors", ".pth", ".pt"})


@dataclass(frozen=True)
class WeightsFile:
    """A weights file on disk and the sha256 that names it in manifests."""

    path: Path
    sha256: str


# What a backbone without weights has in a weights file's place: an empty file, and the sha256 of
# nothing, which names it in manifests.
NO_WEIGHTS = WeightsFile(Path(os.devnull), hashlib.sha256().hexdigest())


def load_network(
    backbone: Backbone, layers: Sequence[str], weights: WeightsFile, input_size: int
) -> FeatureMaps:
    """The frozen network up to the last of `layers`, with the parameters of `weights`.

    A file may hold more than the cut network needs, never less.

    Args:
        input_size: height and width of the photos that it will get, pixels.

    Raises:
        PresetError: a layer that the backbone does not have.
        WeightsMismatch: missing parameters, other shapes, or not a weights file.
    """
    unknown = [name for name in layers if name not in backbone.layers]
    if unknown or not layers:
        raise PresetError(
            f"{backbone.name} has no layer {unknown}; there are {', '.join(backbone.layers)}"
        )
    network = backbone.network(layers, input_size)
    if backbone.weights is not None:
        stored = backbone.translate(read_state_dict(weights.path), network.body)
        needed = network.body.state_dict()
        _check_fit(stored, needed, f"{backbone.name} up to {layers[-1]}", weights.path.name)
        found = {name: stored[name] for name in needed if name in stored}
        network.body.load_state_dict(found, strict=False)
    return network.eval().requires_grad_(False)


def _check_fit(stored: StateDict, needed: StateDict, network: str, file: str) -> None:
    # BatchNorm's step counter is bookkeeping of training; older files lack it.
    missing = [n for n in needed if n not in stored and not n.endswith("num_batches_tracked")]
    if missing:
        shown = ", ".join(missing[:6]) + (f" and {len(missing) - 6} more" if missing[6:] else "")
        raise WeightsMismatch(
            f"{file} lacks {len(missing)} of the parameters that {network} needs: {shown}. Give a "
            "file with the whole network, or choose a preset that stops at an earlier layer."
        )
    for name, tensor in needed.items():
        if name in stored and stored[name].shape != tensor.shape:
            raise WeightsMismatch(
                f"{file}: {name} has shape {tuple(stored[name].shape)}, but {network} needs "
                f"{tuple(tensor.shape)}. Is it another network's file?"
            )


def read_state_dict(path: Path) -> StateDict:
    """Read a safetensors file or a torch state dict (`weights_only=True`: no code is run).

    Raises:
        WeightsMismatch: the file is neither.
        WeightsNotFound: there is no such file.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as exc:
        raise WeightsNotFound(f"no weights file at {path}", public=NOT_THERE) from exc
    except SafetensorError as exc:
        raise WeightsMismatch(f"{path.name} is not a safetensors file: {exc}") from exc
    except Exception as exc:  # torch.load raises pickle, zip, runtime and EOF errors alike
        raise WeightsMismatch(
            f"{path.name} is not a state dict that can be read safely ({type(exc).__name__}); "
            "save one with torch.save(model.state_dict(), FILE), or as safetensors"
        ) from exc
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not all(torch.is_tensor(t) for t in loaded.values()):
        raise WeightsMismatch(f"{path.name} is not a state dict (names to tensors)")
    return loaded


def find_weights(
    backbone: Backbone, explicit: Path | None = None, *, sha256: str | None = None
) -> WeightsFile:
    """Find a backbone's weights: explicit file or folder, else where they are published.

    `NO_WEIGHTS` for a backbone that has none, whatever is given: one file serves all banks.

    Args:
        explicit: a weights file, or a folder of them; a folder is searched by hash where one is
            given, else by file names that start with the backbone's. What a folder lacks is looked
            for in the package and the cache, and never downloaded.
        sha256: the hash that a manifest names; any other file is passed over.

    Raises:
        WeightsNotFound: naming what was looked at and the ways out.
        WeightsMismatch: a damaged file in a cache.
    """
    if backbone.weights is None and sha256 in (None, NO_WEIGHTS.sha256):
        return NO_WEIGHTS
    passed_over: list[str] = []
    for path in _candidates(backbone, explicit, by_hash=sha256 is not None):
        digest = file_sha256(path)
        if sha256 is None or digest == sha256:
            return WeightsFile(path, digest)
        passed_over.append(f"{path.name} ({digest[:12]}…)")
    if explicit is None and backbone.weights is not None and backbone.weights.cached() is None:
        path = backbone.weights.fetch(backbone.name)
        digest = file_sha256(path)
        if sha256 is None or digest == sha256:
            return WeightsFile(path, digest)
        passed_over.append(f"{path.name} ({digest[:12]}…)")
    raise _not_found(backbone, explicit, sha256, passed_over)


def _not_found(
    backbone: Backbone, explicit: Path | None, sha256: str | None, passed_over: Sequence[str]
) -> WeightsNotFound:
    if sha256 is None:
        return WeightsNotFound(
            f"{explicit} has no weights for {backbone.name}: a file is taken as it is, in a folder "
            f"one whose name starts with {backbone.name} (.safetensors, .pth, .pt). Neither its "
            "package nor a cache has them; without the folder they would be downloaded",
            public=NOT_THERE,
        )
    seen = f"; found only {', '.join(passed_over)}" if passed_over else ""
    return WeightsNotFound(
        f"no file with the weights of {backbone.name} with sha256 {sha256[:12]}…{seen}. Put that "
        "file where --weights or GOODSGUARD_WEIGHTS points (a file or a folder), or build the "
        "bank again."
    )


def _candidates(backbone: Backbone, explicit: Path | None, *, by_hash: bool) -> Iterator[Path]:
    """Files on this machine that may hold the weights, best first."""
    if explicit is not None:
        if not explicit.exists():
            raise WeightsNotFound(f"no weights file or folder at {explicit}", public=NOT_THERE)
        if explicit.is_file():
            yield explicit
        else:
            for path in sorted(explicit.iterdir()):
                named = by_hash or path.name.startswith(backbone.name)
                if path.suffix in _WEIGHT_SUFFIXES and named and path.is_file():
                    yield path
        if explicit.is_file() and not by_hash:
            return  # a file is meant as it is; what a folder lacks may lie elsewhere
    if backbone.weights is not None and (cached := backbone.weights.cached()) is not None:
        yield cached

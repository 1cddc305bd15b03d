"""The cache of huggingface_hub, laid out by the tests as the hub's client does."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save

from app.core.errors import WeightsMismatch, WeightsNotFound
from app.core.features.backbone import Backbone, StateDict
from app.core.features.backbones import BACKBONES
from app.core.features.weight_sources import Hub
from app.core.features.weights import find_weights, load_network

HUB = Hub("timm/some_model", "c" * 40)
SMALL = BACKBONES["dinov2_vits14"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a client that asks nobody."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def store(cache: Path, hub: Hub, commit: str, content: bytes, *, branch: str = "") -> Path:
    """Put a file into the cache as of a commit, to which `branch` points."""
    folder = cache / f"models--{hub.repository.replace('/', '--')}"
    blob = folder / "blobs" / hashlib.sha256(content).hexdigest()
    link = folder / "snapshots" / commit / hub.file
    for path in (blob, link):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    link.symlink_to(blob)
    if branch:
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / branch).write_text(commit)
    return link


def hub_of(backbone: Backbone) -> Hub:
    assert isinstance(backbone.weights, Hub)
    return backbone.weights


def first_block() -> StateDict:
    network = SMALL.network(["blocks.0"], 518)
    return {name: tensor.contiguous() for name, tensor in network.body.state_dict().items()}


def test_the_commits_file_is_found(cache: Path) -> None:
    link = store(cache, HUB, HUB.commit, b"weights")
    assert HUB.cached() == link


def test_what_timm_fetched_is_found(cache: Path) -> None:
    link = store(cache, HUB, "d" * 40, b"weights", branch="main")
    assert HUB.cached() == link


def test_the_commit_goes_before_what_timm_fetched(cache: Path) -> None:
    store(cache, HUB, "d" * 40, b"newer", branch="main")
    link = store(cache, HUB, HUB.commit, b"weights")
    assert HUB.cached() == link


def test_an_empty_cache_has_nothing(cache: Path) -> None:
    assert HUB.cached() is None


def test_looking_into_the_cache_asks_nobody(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket.socket, "connect", lambda *place: called.append(place))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *place, **_: called.append(place))
    store(cache, HUB, "d" * 40, b"weights", branch="main")
    assert HUB.cached() is not None
    assert called == []


def test_a_damaged_file_is_refused_by_its_name(cache: Path) -> None:
    link = store(cache, HUB, HUB.commit, b"weights")
    link.resolve().write_bytes(b"weightz")
    with pytest.raises(WeightsMismatch, match=r"models--timm--some_model is damaged.*Delete"):
        HUB.cached()


def test_a_backbone_is_loaded_from_the_cache_and_found_again_by_hash(cache: Path) -> None:
    content = save(first_block())
    store(cache, hub_of(SMALL), "d" * 40, content, branch="main")
    found = find_weights(SMALL)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert find_weights(SMALL, sha256=found.sha256) == found
    (maps,) = load_network(SMALL, ["blocks.0"], found, 56)(torch.rand(1, 3, 56, 56))
    assert maps.shape == (1, 384, 4, 4)
    assert torch.isfinite(maps).all()


def test_another_hash_than_the_caches_is_named(cache: Path) -> None:
    store(cache, hub_of(SMALL), "d" * 40, b"weights", branch="main")
    with pytest.raises(WeightsNotFound, match=r"ffffffffffff.*found only model\.safetensors"):
        find_weights(SMALL, sha256="f" * 64)


@pytest.mark.parametrize("sha256", [None, "f" * 64])
def test_offline_the_ways_out_are_named_at_once(cache: Path, sha256: str | None) -> None:
    with pytest.raises(WeightsNotFound) as caught:
        find_weights(SMALL, sha256=sha256)
    text = str(caught.value)
    assert "offline" in text
    assert "--weights FILE or GOODSGUARD_WEIGHTS" in text
    assert "copy models--timm--vit_small_patch14_dinov2.lvd142m from a machine with" in text
    assert str(cache) in text
    assert str(cache) not in caught.value.public

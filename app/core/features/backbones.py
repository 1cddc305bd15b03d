"""The table of backbones; each family's rows stand in a module of `families`."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import PresetError
from .backbone import Backbone
from .families import dinov2, efficientnet_lite, pixels, resnet

BACKBONES: Mapping[str, Backbone] = {
    row.name: row
    for row in (*resnet.rows(), *efficientnet_lite.rows(), *dinov2.rows(), *pixels.rows())
}


def get_backbone(name: str) -> Backbone:
    """The table's row of that name.

    Raises:
        PresetError: no such backbone; the text lists those there are.
    """
    if name not in BACKBONES:
        raise PresetError(f"unknown backbone {name!r}; there are {', '.join(BACKBONES)}")
    return BACKBONES[name]

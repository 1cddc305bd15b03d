"""EmbeddingNetwork: the whole way from a photo's bytes to its embedding, as one torch module."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as functional
from torch import nn

Maps = Sequence[torch.Tensor]


class EmbeddingNetwork(nn.Module):
    """`forward`: (B, H, W, 3) uint8 -> (B, P, D) float32.

    Normalisation and pooling are part of it, so that an engine gets the pass as one graph: bytes
    go in, a quarter of the traffic of float32, and nothing is done one by one outside.

    Attributes:
        grid: (h, w) of the patches, P = h·w; None averages each layer over the photo (P = 1).
        neighbourhood: side of the square over which each place is averaged, in its own layer.
        unit_length: whether each feature is scaled to length 1 at the end, so that Euclidean
            distances rank as cosine distances do: d² = 2 (1 − cos).
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        network: Callable[[torch.Tensor], Maps],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        grid: tuple[int, int] | None = None,
        neighbourhood: int = 1,
        unit_length: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.grid = grid
        self.neighbourhood = neighbourhood
        self.unit_length = unit_length
        for name, values in (("mean", mean), ("std", std)):
            channels = torch.tensor(values, dtype=torch.float32).mul_(255)
            self.register_buffer(name, channels, persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        embedding = self.pool(self.network(self.normalise(pixels)))
        return functional.normalize(embedding, dim=2) if self.unit_length else embedding

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, H, W, 3) uint8 -> (B, 3, H, W) float32."""
        # permute alone, and last: the result lies channels-last, which is what convolutions want,
        # and engines see that nothing is to be moved.
        return ((pixels.to(torch.float32) - self.mean) / self.std).permute(0, 3, 1, 2)

    def pool(self, maps: Maps) -> torch.Tensor:
        """One (B, C, h, w) per layer -> (B, P, D): pooled, brought to one grid, concatenated."""
        maps = [feature_map.float() for feature_map in maps]  # half precision would round the means
        if self.grid is None:
            return torch.cat([m.mean(dim=(2, 3)) for m in maps], dim=1)[:, None, :]
        placed = [_resize_map(_local_mean(m, self.neighbourhood), self.grid) for m in maps]
        return torch.cat(placed, dim=1).flatten(2).transpose(1, 2)  # (B, D, h, w) -> (B, h·w, D)


def _local_mean(feature_map: torch.Tensor, side: int) -> torch.Tensor:
    """Average each place with its neighbours; what lies beyond the rim counts as zero.

    Averaged over the fewer places that there are, the rim's features vary most: on photos of goods
    before shelves the patch farthest from the bank lay on the rim of 97 % of the photos, damaged or
    not. The zeros make these features smaller, and their distances with them.
    """
    if side == 1:
        return feature_map
    return functional.avg_pool2d(feature_map, side, stride=1, padding=side // 2)


def _resize_map(feature_map: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Bilinear interpolation of (B, C, h, w) to another grid over the same picture."""
    if tuple(feature_map.shape[2:]) == grid:
        return feature_map
    return functional.interpolate(feature_map, size=grid, mode="bilinear", align_corners=False)

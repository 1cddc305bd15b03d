"""Banks of patches: the coreset of some spooled images' patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...features.spool import Spool
from .bank import MemoryBank
from .bank_rule import BankRule
from .streaming_coreset import StreamingCoreset

# 1 GiB of patches are reduced in one go: 680 photos of 1,024 patches × 384. A coreset merged from
# parts is a little worse (elpv_mono: 0.956 merged from 5, 0.960 in one go), so that this is roomy.
_BUFFER_BYTES = 1 << 30


def bank_of_patches(
    spool: Spool,
    images: Sequence[int],
    rule: BankRule,
    progress: Callable[[int, int], None] | None = None,
) -> MemoryBank:
    """The bank of these images' patches. At most twice 1 GiB are held, however many there are.

    Args:
        images: indices into the spool.
        progress: called with (chosen, wanted).
    """
    patches = sum(len(spool.patches(image)) for image in images)
    size = rule.size(patches)
    width = spool.patches(images[0]).shape[1] * 4
    # Never more rows than there are to hold, never fewer than a reduction needs to free half.
    rows = max(min(_BUFFER_BYTES // width, patches), 2 * size)
    coreset = StreamingCoreset(size, seed=rule.seed, buffer_bytes=rows * width, progress=progress)
    for image in images:
        coreset.add(spool.patches(image))
    vectors, _ = coreset.finish(size)
    return MemoryBank(vectors)

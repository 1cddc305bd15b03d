"""Golden photos: a few of a bank's own, and the scores that they got when it was built.

Whoever loads the bank scores them again. Another engine, precision, library or processor may answer
a little differently; a bank whose scores move further than a stated bound would judge by a
threshold that is not its own, and must not serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..arrays import Floats, Pixels
from ..features.extractor import Extractor
from ..methods.method import Scorer
from ..photo.box import Box
from ..photo.preprocess import PreparedImage

COUNT = 4
# Share of a normal photo's score by which a golden score may move. Measured on a CPU with banks of
# bottle and ELPV: float32 on another engine moves it by less than 0.001 %, bfloat16 in place of
# float32 by 0.2 to 0.5 % with ResNet18, and by up to 4 % on single photos with Lite0.
BOUND = 0.01
# And where nobody asked for the engine, so much of the standard deviation of held-out good photos'
# scores: if all moved by it to one side, a false-alarm rate of 5 % would become 6 %, 1 % 1.25 %
# (normal tail). That deviation is about 11 % of the mean on those sets.
SHARE_OF_SPREAD = 0.1


@dataclass(frozen=True)
class Golden:
    """Prepared photos and their scores.

    Attributes:
        pixels: (G, H, W, 3) uint8. content: (G, 4) float32, left, top, right and bottom of the
            photo in them. scores: (G,) float32.
    """

    pixels: Pixels = field(repr=False)
    content: Floats
    scores: Floats

    @classmethod
    def measure(
        cls, photos: Sequence[PreparedImage], extractor: Extractor, scorer: Scorer
    ) -> Golden:
        """Score photos. They are mirrored first: as they are, the method has learnt them."""
        mirrored = [_mirrored(photo) for photo in photos]
        content = [(b.left, b.top, b.right, b.bottom) for b in (m.content for m in mirrored)]
        return cls(
            np.stack([photo.pixels for photo in mirrored]),
            np.array(content, dtype=np.float32),
            _scores(mirrored, extractor, scorer),
        )

    def deviation(self, extractor: Extractor, scorer: Scorer, typical: float) -> float:
        """How far the scores are from the stored ones now: the largest difference, as a share of
        `typical`, a normal photo's score."""
        found = _scores(self.photos(), extractor, scorer)
        scale = max(typical, float(self.scores.mean()), 1e-6)
        return float(np.abs(found - self.scores).max()) / scale

    def photos(self) -> list[PreparedImage]:
        """As the network gets them."""
        boxes = [Box(*map(float, box)) for box in self.content]
        return [PreparedImage(p, b, source=b) for p, b in zip(self.pixels, boxes, strict=True)]


def _mirrored(photo: PreparedImage) -> PreparedImage:
    width, box = photo.pixels.shape[1], photo.content
    turned = Box(width - box.right, box.top, width - box.left, box.bottom)
    return PreparedImage(np.ascontiguousarray(photo.pixels[:, ::-1]), turned, turned)


def _scores(photos: Sequence[PreparedImage], extractor: Extractor, scorer: Scorer) -> Floats:
    pairs = zip(extractor.embed(photos), photos, strict=True)
    found = [scorer.score(extractor.sample(features, photo)) for features, photo in pairs]
    return np.array(found, dtype=np.float32)

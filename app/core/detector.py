"""A photo's way: decode -> preprocess -> embed -> method -> score and map -> verdict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .arrays import Floats
from .errors import ArtifactError, GoodsGuardError
from .features.extractor import Extractor
from .features.sample import Sample
from .judging.anomaly_map import Region, find_regions, overlay_png, place
from .judging.backdrop import Backdrop, reduced
from .judging.calibration import Calibration
from .judging.explanation import Explanation, explain
from .judging.golden import SHARE_OF_SPREAD
from .judging.inspection import Inspection, Photo, or_raise
from .methods.method import Method
from .photo.box import Box
from .photo.images import MAX_PIXELS, decode, reduction
from .photo.view import WHOLE_VIEW, View, enough_for_all
from .store.artifact import Artifact
from .store.manifest import Manifest


class Detector:
    """One category's bank, ready to judge photos. Immutable; safe to share between threads."""

    def __init__(
        self, artifact: Artifact, extractor: Extractor, *, max_pixels: int = MAX_PIXELS
    ) -> None:
        if extractor.spec != artifact.manifest.features:
            raise ArtifactError("the extractor is not the one the bank was built with")
        self.manifest: Manifest = artifact.manifest
        self.method: Method = artifact.method
        self.calibration: Calibration = artifact.calibration
        self.extractor = extractor.looking(artifact.look)
        self._scorer, self._max_pixels = artifact.scorer, max_pixels
        self._golden, self._origins = artifact.golden, artifact.origins

    @property
    def engine(self) -> str:
        """Runtime and precision that serve the bank."""
        return f"{self.extractor.runtime.name} {self.extractor.runtime.precision}"

    def inspect(self, data: bytes) -> Inspection:
        """Judge one photo from its bytes.

        Raises:
            ImageError: the photo cannot be judged.
            NonFiniteScore: the network answered with NaN or infinity.
        """
        return self.judge([self.read(data)])[0]

    def inspect_and_draw(self, data: bytes) -> tuple[Inspection, bytes | None]:
        """The same, and the overlay: a PNG, or None for global methods.

        Raises:
            As `inspect`.
        """
        photo = self.read(data, for_overlay=True)
        assert photo.backdrop is not None
        try:
            inspection = self.judge([photo])[0]
            return inspection, self.overlay(photo.backdrop, inspection)
        finally:
            photo.backdrop.release()

    def self_test(self, *, unasked: bool = False) -> None:
        """Score the golden photos again. It warms up, too: the first pass chooses kernels and
        allocates, and a bank that does not fit its network shows it now.

        Args:
            unasked: on an engine of our choice, which must not move scores by more than a tenth
                of what held-out good photos differ by, either.

        Raises:
            ArtifactError: a score has moved beyond the manifest's bound.
            BankError, NonFiniteScore: the bank and the network do not fit.
        """
        typical = float(np.median(self.calibration.scores))
        deviation = self._golden.deviation(self.extractor, self._scorer, typical)
        bound = self.manifest.golden.bound
        if unasked:
            spread = float(np.std(self.calibration.scores)) / max(typical, 1e-6)
            bound = min(bound, SHARE_OF_SPREAD * spread)
        if not deviation <= bound:
            record = self.manifest.runtime
            raise ArtifactError(
                f"the golden photos' scores differ by {deviation:.1%} from those at the build, "
                f"more than {bound:.1%}: the bank was calibrated with {record.name} in "
                f"{record.precision} on {record.device}. Serve it with these (GOODSGUARD_RUNTIME, "
                "GOODSGUARD_PRECISION, GOODSGUARD_DEVICE), or build it again here."
            )

    def golden_photo(self) -> Photo:
        """One of the bank's own photos, as the network gets it."""
        prepared = self._golden.photos()[0]
        height, width = prepared.pixels.shape[:2]
        return Photo(prepared, width, height, "golden", 0.0)

    def read(self, data: bytes, *, for_overlay: bool = False) -> Photo:
        """The first half, on any thread: bytes -> network input.

        Args:
            for_overlay: keep a backdrop, too; the caller must release it.

        Raises:
            ImageError: the photo cannot be judged.
        """
        (photo,) = read_for([self], data, for_overlay=for_overlay)
        assert photo is not None
        return photo

    def judge(self, photos: Sequence[Photo]) -> list[Inspection]:
        """The second half, on a worker: network input -> verdicts, in order.

        Raises:
            NonFiniteScore: the network answered with NaN or infinity.
        """
        outcomes = judge_together([((self,), photo) for photo in photos])
        return [or_raise(found) for (found,) in outcomes]

    def regions(self, inspection: Inspection) -> list[Region]:
        """Where the photo's map exceeds the threshold; empty for global methods."""
        if inspection.score_map is None:
            return []
        return find_regions(
            inspection.score_map,
            self.extractor.grid,
            inspection.placement,
            (inspection.width, inspection.height),
            self.manifest.anomaly_map.threshold,
        )

    def anomaly_map(self, inspection: Inspection, shape: tuple[int, int]) -> Floats | None:
        """`shape` float32 map over the whole photo; None for global methods."""
        if inspection.score_map is None:
            return None
        photo = (inspection.width, inspection.height)
        return place(inspection.score_map, self.extractor.grid, inspection.placement, photo, shape)

    def explain(self, inspection: Inspection) -> Explanation:
        """The photo's most anomalous places beside the nearest good patches; on any thread."""
        scale, grid = self.manifest.anomaly_map, self.extractor.grid
        return explain(inspection, self.method, self._origins, grid, scale.threshold)

    def overlay(self, backdrop: Backdrop, inspection: Inspection) -> bytes | None:
        """The anomaly map on the photo, a PNG of the backdrop's size; None for global methods, and
        once the backdrop is released."""
        picture = backdrop.picture
        if inspection.score_map is None or picture is None:
            return None
        return overlay_png(
            picture,
            inspection.score_map,
            self.extractor.grid,
            inspection.placement,
            photo=(inspection.width, inspection.height),
            scale=(self.manifest.anomaly_map.low, self.manifest.anomaly_map.threshold),
            looked=inspection.looked,
        )

    def conclude(self, photo: Photo, features: Floats, embed_ms: float) -> Inspection:
        """From the network's (P, D) features of a photo to its verdict.

        Raises:
            NonFiniteScore: NaN or infinity among them.
        """
        start = time.perf_counter()
        sample = self.extractor.sample(features, photo.prepared)
        cells = self._scorer.cells(sample)  # (h, w)
        score = self._scorer.image_score(sample, cells)
        calibration = self.calibration
        return Inspection(
            verdict="anomalous" if calibration.is_anomalous(score) else "normal",
            score=score,
            threshold=calibration.threshold,
            p_value=calibration.p_value(score),
            alpha=calibration.alpha,
            width=photo.width,
            height=photo.height,
            format=photo.format,
            placement=photo.prepared,
            score_map=None if sample.grid == (1, 1) else self._scorer.score_map(sample, cells),
            embedding=sample.patches,
            timings_ms={
                "decode": photo.decode_ms,
                "wait": photo.waited_ms,
                "embed": embed_ms,
                "search": _ms_since(start),
            },
            looked=sample.looked if self._in_part(sample, photo) else None,
        )

    def _in_part(self, sample: Sample, photo: Photo) -> bool:
        """Whether a look keeps some of the photo out; what a resize rule cuts off is none of it."""
        if sample.weights is not None or self.extractor.look.record.crop is not None:
            return True
        cuts = self.extractor.spec.preprocess.resize == "shorter_side_crop"
        return not cuts and photo.prepared.source != Box(0, 0, photo.width, photo.height)


def read_for(
    detectors: Sequence[Detector],
    data: bytes,
    *,
    views: Sequence[View] | None = None,
    at_once: bool = False,
    for_overlay: bool = False,
) -> list[Photo | None]:
    """The first half for detectors of several networks: the photo is decoded once for all that
    want it as the first does: its scale, and what is white in 16 bits.

    Args:
        views: what of the photo each detector sees; None: all of it.
        at_once: decode at a scale that suffices for all, rather than at the first one's.
        for_overlay: keep a backdrop, too, the same for all; the caller must release it.

    Returns:
        a photo for each detector; None for those that need a decode of their own.

    Raises:
        ImageError: the photo cannot be judged.
    """
    start = time.perf_counter()
    first, extractors = detectors[0], [one.extractor for one in detectors]
    views = views or [WHOLE_VIEW] * len(detectors)
    sides = [view.at_least(one.at_least()) for view, one in zip(views, extractors, strict=True)]
    at_least, white = sides[0], extractors[0].spec.preprocess.white_level
    if at_once:
        at_least = enough_for_all(sides)
    image = decode(data, max_pixels=first._max_pixels, at_least=at_least, white_level=white)
    scale = reduction(image, at_least)
    decode_ms = _ms_since(start)
    found: list[Photo | None] = []
    for extractor, view, side in zip(extractors, views, sides, strict=True):
        other = not at_once and reduction(image, side) != scale
        if other or extractor.spec.preprocess.white_level != white:
            found.append(None)
            continue
        start = time.perf_counter()
        prepared = extractor.prepare(view.of(image))
        ms = decode_ms + _ms_since(start)
        found.append(Photo(prepared, image.width, image.height, image.format, ms))
    if not for_overlay:
        return found
    picture = reduced(image.rgb)
    del image  # before a wait for room: it may be large
    backdrop = Backdrop(picture)
    return [photo and replace(photo, backdrop=backdrop) for photo in found]


def judge_together(
    jobs: Sequence[tuple[Sequence[Detector], Photo]],
) -> list[list[Inspection | GoodsGuardError]]:
    """Judge photos in one pass of the network that all their detectors share.

    Args:
        jobs: each photo with the detectors that are asked about it: it is embedded once for all.

    Returns:
        per photo, each detector's inspection, or why there is none.
    """
    embeddings, embed_ms = embed_together(jobs)
    return [
        conclusions(detectors, photo, features, embed_ms)
        for (detectors, photo), features in zip(jobs, embeddings, strict=True)
    ]


def embed_together(jobs: Sequence[tuple[Sequence[Detector], Photo]]) -> tuple[Floats, float]:
    """The network's part of `judge_together`: (B, P, D) features, and milliseconds per photo."""
    start = time.perf_counter()
    extractor = jobs[0][0][0].extractor
    embeddings = extractor.embed([photo.prepared for _, photo in jobs])
    return embeddings, _ms_since(start) / len(jobs)


def conclusions(
    detectors: Sequence[Detector], photo: Photo, features: Floats, embed_ms: float
) -> list[Inspection | GoodsGuardError]:
    """The rest of it, for one photo: what each detector says of its (P, D) features."""
    return [_conclusion(detector, photo, features, embed_ms) for detector in detectors]


def _conclusion(
    detector: Detector, photo: Photo, features: Floats, embed_ms: float
) -> Inspection | GoodsGuardError:
    try:
        return detector.conclude(photo, features, embed_ms)
    except GoodsGuardError as exc:  # spoils this photo's answer, not the others'
        return exc


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000

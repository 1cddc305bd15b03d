"""Knn: the memory bank as a method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ...arrays import Floats
from ...errors import BankError, CalibrationError
from ...features.sample import Sample, Samples
from ..method import Facts, Learnt, Lesson, Method, MethodSettings, Sources, checked
from .bank import InvertedLists, MemoryBank
from .search import EXACT, PatchSearch, SearchPlan, plan_search
from .streaming_coreset import StreamingCoreset

# 1 GiB of patches are reduced in one go: 680 photos of 1,024 patches × 384. A coreset merged from
# parts is a little worse (elpv_mono: 0.956 merged from 5, 0.960 in one go), so that this is roomy.
_BUFFER_BYTES = 1 << 30
# Photos on which a bank's search is compared with the exact one.
_SEARCH_SAMPLE = 32


class KnnSettings(MethodSettings):
    """What a bank keeps of the good photos' patches, and how many neighbours are asked.

    Attributes:
        k: neighbours per patch; their mean distance is the patch's score.
        coreset_ratio: share of the patches to keep; 1 keeps all.
        max_vectors: upper limit on the vectors kept, whatever the ratio says; None: no limit.
        seed: of the coreset's first pick, and of the lists' k-means.
        search: how the bank is searched; the build finds it.
    """

    k: int = Field(default=1, ge=1)
    coreset_ratio: float = Field(default=1.0, gt=0.0, le=1.0)
    max_vectors: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)
    search: SearchPlan = EXACT

    def size(self, patches: int) -> int:
        """Vectors kept of so many patches: never 0, never more than there are."""
        wanted = max(1, round(patches * self.coreset_ratio))
        return min(wanted, self.max_vectors or wanted)


class Knn(Method):
    """The mean distance of each cell to its k nearest vectors of a memory bank.

    Attributes:
        bank: (N, D) vectors. search: asks it.
    """

    kind = "knn"
    keeps_cells = True
    Settings = KnnSettings

    def __init__(
        self,
        settings: KnnSettings,
        bank: MemoryBank,
        lists: InvertedLists | None = None,
        sources: Sources | None = None,
    ) -> None:
        if (lists is not None) != (settings.search.kind == "lists"):
            raise BankError("the bank's lists are not as its manifest says")
        self._settings = settings
        self.bank = bank
        self._sources = sources
        self.search = PatchSearch(bank, settings.k, settings.search, lists)

    @property
    def settings(self) -> KnnSettings:
        return self._settings

    @classmethod
    def fit(cls, settings: KnnSettings, lesson: Lesson) -> Self:
        """All vectors in their order, or a coreset of them; k is clipped to what there is."""
        # Copies of photos share what a coreset of the photos alone would keep.
        shared = lesson.copies > 0 and settings.coreset_ratio < 1
        budget = settings.size(_cells(lesson.photos)) if shared else None
        bank, sources = bank_and_sources(lesson.samples, settings, lesson.progress, budget)
        if settings.k > len(bank):
            lesson.warn(
                f"k = {settings.k} neighbours were asked for, the bank has {len(bank)} vectors: "
                f"k is clipped to {len(bank)}"
            )
            settings = settings.model_copy(update={"k": len(bank)})
        return cls(settings, bank, sources=sources)

    @property
    def sources(self) -> Sources | None:
        return self._sources

    def score(self, sample: Sample, highest: int) -> Floats:
        weights = sample.patch_weights
        return sample.placed(self.search.patch_scores(sample.patches, highest, weights))

    def leave_one_out(self, lesson: Lesson) -> Floats | None:
        """Where the bank holds each sample as one vector, its own group's are passed over."""
        if lesson.turned is not None:
            return None
        if _cells(lesson.samples) != len(lesson) or len(self.bank) != len(lesson):
            return None
        return leave_one_out(self.bank, lesson.groups, self._settings.k)

    def for_serving(self, lesson: Lesson) -> Self:
        """With lists, where the order of good photos' scores stands it."""
        # More neighbours would have to come from lists that hold so many; and a global method
        # looks at one vector a photo, which costs nothing.
        if self._settings.k != 1 or lesson.samples[0].grid == (1, 1):
            return self
        every = max(1, len(lesson) // _SEARCH_SAMPLE)  # the plan of a bank depends on which
        chosen = range(0, len(lesson), every)[:_SEARCH_SAMPLE]
        photos = [lesson.samples[index] for index in chosen]
        found = plan_search(
            self.bank,
            lesson.scoring,
            [photo.patches for photo in photos],
            self._settings.seed,
            weights=[photo.patch_weights for photo in photos],
            of=[photo.looked.size for photo in photos],
        )
        settings = self._settings.model_copy(update={"search": found.plan})
        return type(self)(settings, self.bank, found.lists, self._sources)

    def distances(self, cells: Floats) -> Floats:
        return self.bank.distances_to_all(cells)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        lists = self.search.lists
        of_lists = {"centroids": lists.centroids, "list_of": lists.assignments} if lists else {}
        return {"vectors": self.bank.vectors, **of_lists}

    @classmethod
    def load(cls, settings: KnnSettings, tensors: Learnt) -> Self:
        plan = settings.search
        listed = plan.kind == "lists"
        if listed and not (plan.probes and plan.thorough_probes):
            raise BankError("the bank's search reads no list")
        shapes: dict[str, tuple[Any, int]] = {"vectors": (np.float32, 2)}
        if listed:
            shapes |= {"centroids": (np.float32, 2), "list_of": (np.int32, 1)}
        found = checked(tensors, shapes)
        bank = MemoryBank(found["vectors"])
        lists = InvertedLists(bank, found["centroids"], found["list_of"]) if listed else None
        return cls(settings, bank, lists)

    def facts(self) -> Facts:
        return {"vectors": len(self.bank), "dimensions": self.bank.dimensions}


def leave_one_out(bank: MemoryBank, groups: Sequence[str], k: int) -> Floats:
    """Score each image of a global bank against the bank without its own group.

    Args:
        bank: (N, D), one vector per image.
        groups: N names; images of one group (a SKU) are near copies and leave together.

    Returns:
        (N,) float32. Where fewer than k vectors remain, their mean is taken.

    Raises:
        CalibrationError: all images are of one group.
    """
    names = np.asarray(groups)
    assert len(names) == len(bank)
    _, sizes = np.unique(names, return_counts=True)
    if len(sizes) < 2:
        raise CalibrationError("leave-one-out needs good images of at least 2 groups")
    distances, neighbours = bank.search(bank.vectors, k + int(sizes.max()))
    foreign = names[neighbours] != names[:, None]  # (N, k') bool
    scores = np.empty(len(bank), dtype=np.float32)
    for image in range(len(bank)):
        scores[image] = distances[image, foreign[image]][:k].mean(dtype=np.float32)
    return scores


def bank_of_samples(
    samples: Samples,
    settings: KnnSettings,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    budget: int | None = None,
) -> MemoryBank:
    """The bank alone, see `bank_and_sources`."""
    return bank_and_sources(samples, settings, progress, budget)[0]


def bank_and_sources(
    samples: Samples,
    settings: KnnSettings,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    budget: int | None = None,
) -> tuple[MemoryBank, Sources]:
    """The bank of these photos' patches, and which patch each of its vectors is. At most twice
    1 GiB are held where a coreset is taken, however many patches there are, and 8 bytes for each of
    them; `progress` is called with (chosen, wanted).

    Args:
        budget: vectors to keep; None: as many as the settings say of the patches.
    """
    sources = _sources(samples)
    size = budget or settings.size(len(sources))
    if size == len(sources):
        return MemoryBank(np.concatenate([sample.teaching for sample in samples])), sources
    width = samples[0].cells.shape[-1] * 4
    # Never more rows than there are to hold, never fewer than a reduction needs to free half.
    rows = max(min(_BUFFER_BYTES // width, len(sources)), 2 * size)
    coreset = StreamingCoreset(
        size, seed=settings.seed, buffer_bytes=rows * width, progress=progress
    )
    for sample in samples:
        coreset.add(sample.teaching)
    vectors, chosen = coreset.finish(size)
    return MemoryBank(vectors), sources[chosen]


def _sources(samples: Samples) -> Sources:
    """Of every patch, in order."""
    found = []
    for number, sample in enumerate(samples):
        places = sample.taught
        found.append(np.stack([np.full_like(places, number), places], axis=1).astype(np.int32))
    return np.concatenate(found)


def _cells(samples: Samples) -> int:
    return sum(len(sample.teaching) for sample in samples)

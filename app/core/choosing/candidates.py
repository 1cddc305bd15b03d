"""The looks to try, each fitted on the photos learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..arrays import Floats
from ..building.looking import LookChoice, Looked, LookLearned, LookWhole
from ..building.preset import Preset
from ..building.prior import Prior, learn_prior
from ..building.selection import narrowed
from ..errors import PresetError
from ..features.extractor import FeatureExtractor
from ..features.sample import Samples
from ..methods.method import Lesson, Scorer
from ..photo.look import WHOLE, Look, LookRecord, Shares
from ..photo.preprocess import PreparedImage

# Where the surroundings are the same in all photos, or look as the middle does, the regression
# tells the goods' own middle from their own rim. Measured: `varied` 0.86 to 0.90 on goods held
# before shelves, 0.03 to 0.63 on goods that fill the frame.
LEAST_VARIED, LEAST_APART = 0.75, 0.9


@dataclass(frozen=True)
class Candidate:
    """A look that can score photos.

    Attributes:
        choice: what a preset says of it.
        extractor: sees by the look, and keeps the dimensions that the method learnt from.
    """

    choice: LookChoice
    extractor: FeatureExtractor
    scorer: Scorer

    @property
    def crop(self) -> Shares | None:
        """By what its photos are cropped; candidates of one crop share the network's answers."""
        return self.extractor.look.record.crop

    def score(self, features: Floats, photo: PreparedImage) -> float:
        """The photo's score, from the network's (P, D) features of its crop."""
        return self.scorer.score(self.extractor.sample(features, photo))


def varies(prior: Prior) -> bool:
    """Whether what surrounds the middle looks otherwise, and differs from photo to photo."""
    return prior.varied >= LEAST_VARIED and prior.apart >= LEAST_APART


def looks_to_try(given: LookChoice | None) -> list[LookChoice]:
    """`whole` first, then `learned`, then the user's own."""
    learned = given if isinstance(given, LookLearned) else LookLearned(kind="learned")
    others = [] if given is None or given.kind in ("whole", "learned") else [given]
    return [LookWhole(), learned, *others]


def can_weigh(extractor: FeatureExtractor) -> bool:
    """Whether its features have places that a look could weigh."""
    try:
        extractor.looking(Look(LookRecord(kind="learned")))
    except PresetError:
        return False
    return True


def cropping(crop: Shares | None) -> Look:
    """A look that crops, and sees all of the crop."""
    return WHOLE if crop is None else Look(LookRecord(kind="box", box=crop))


def crop_of(choice: LookChoice) -> Shares | None:
    """By what photos are cropped for a look."""
    return None if isinstance(choice, LookWhole) else choice.crop


def fit(
    choices: Sequence[LookChoice],
    samples: Mapping[Shares | None, Samples],
    groups: Sequence[str],
    preset: Preset,
    extractor: FeatureExtractor,
) -> tuple[list[Candidate], Prior]:
    """Each look learnt and its method fitted; the prior of the whole photos.

    Args:
        samples: by crop, of the photos learnt from, all their cells. groups: a name for each.
        extractor: of the preset, of the whole photo.
    """
    candidates: list[Candidate] = []
    priors: dict[Shares | None, Prior] = {}
    for choice in choices:
        crop = crop_of(choice)
        if isinstance(choice, LookLearned):
            look, priors[crop] = choice.learnt(samples[crop])
            # Its bank learns from all that the crop shows, as one may have done already.
            if (same := _of_all(candidates, crop)) is not None:
                own = same.extractor.looking(look)
                candidates.append(Candidate(choice, own, same.scorer))
                continue
        else:
            look = choice.seen()
        seen = Looked(samples[crop], look)
        looked, own = narrowed(seen, preset.selection, extractor.looking(look))
        lesson = Lesson(looked, groups, preset.scoring)
        method = preset.method.method.fit(preset.method.settings, lesson)
        candidates.append(Candidate(choice, own, Scorer(method, preset.scoring)))
    return candidates, priors.get(None) or learn_prior(samples[None])


def _of_all(candidates: Sequence[Candidate], crop: Shares | None) -> Candidate | None:
    """One that learnt from all that this crop shows."""
    fitting = (one for one in candidates if one.crop == crop and one.choice.all_teach)
    return next(fitting, None)

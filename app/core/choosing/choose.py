"""Which look a category's bank is built with: tried on damage drawn on its good photos.

Each look learns from two thirds of the photos and scores the others, as they are and with damage
that no look was fitted to. Another look than `whole` is taken only where the surroundings differ
from photo to photo, goods can be told from them where the frame tells nothing, and the paired
interval says that it is better.

Drawn damage is not real damage: it tells whether a look loses sight of places where the goods are,
and how much the surroundings disturb, not how well real damage is found.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from ..building import levels
from ..building.copies import find_copies
from ..building.groups import GroupRule, group
from ..building.looking import LookChoice, LookWhole
from ..building.preset import Preset
from ..building.prior import NoPrior
from ..features.extractor import FeatureExtractor
from ..features.sample import Chosen, Samples
from ..features.spool import Spool
from ..photo.dataset import Category, evenly
from ..photo.images import MAX_PIXELS
from ..photo.look import Shares
from ..store.look_trial import LookTrial
from .candidates import Candidate, can_weigh, crop_of, cropping, fit, looks_to_try
from .placing import embed_photos, find_goods
from .split import split
from .trying import try_out
from .verdict import table, taken

Progress = Callable[[str, int, int], None]  # step, done, total

# More photos make the interval narrower than a choice needs, and the build longer.
MOST_PHOTOS = 360
# Fewer cannot prove anything: 5 held-out photos.
FEWEST_PHOTOS = 15


@dataclass(frozen=True)
class LookChosen:
    """What is taken, and the trial as the manifest keeps it.

    Attributes:
        candidates: as they were tried, in the order of the trial's rows.
    """

    choice: LookChoice
    trial: LookTrial
    candidates: tuple[Candidate, ...] = field(default=(), repr=False)


def choose_look(
    category: Category,
    preset: Preset,
    extractor: FeatureExtractor,
    *,
    given: LookChoice | None = None,
    limit: int | None = None,
    groups: GroupRule = "auto",
    max_pixels: int = MAX_PIXELS,
    seed: int = 0,
    progress: Progress = lambda _step, _done, _total: None,
) -> LookChosen:
    """Try `whole`, `learned` and what the user gave on a category's good photos.

    Args:
        extractor: made from the preset's features. given: a box or mask of the user's to try, too.
        limit, groups, max_pixels: as of `build_bank`. At most 360 photos are taken.
        seed: of the split and of the damage.

    Raises:
        As `build_bank`, of photos, presets and scores.
    """
    if not can_weigh(extractor):
        return _whole("features of the whole photo have no places to choose from")
    paths = evenly(evenly(category.train, limit), MOST_PHOTOS)
    extractor = levels.measure(paths).applied_to(extractor)
    choices = looks_to_try(given)
    with ExitStack() as spools:
        spool = spools.enter_context(Spool())
        read, prints = embed_photos(paths, extractor, spool, max_pixels, partial(progress, "read"))
        kept = find_copies(prints).kept
        if len(kept) < FEWEST_PHOTOS:
            return _whole(f"{len(kept)} different good photos are too few to try others")
        wanted = groups if preset.calibration.keep_groups or groups != "auto" else "none"
        names = group([read[i] for i in kept], wanted, Chosen(spool, kept)).names
        learnt, out = split(len(kept), seed)
        samples: dict[Shares | None, Samples] = {None: Chosen(spool, [kept[i] for i in learnt])}
        for crop in {crop_of(choice) for choice in choices} - {None}:
            cropped = spools.enter_context(Spool())
            view, own = extractor.looking(cropping(crop)), [read[kept[i]] for i in learnt]
            embed_photos(own, view, cropped, max_pixels, partial(progress, "read a crop"))
            samples[crop] = cropped
        progress("learn", 0, len(learnt))
        learnt_names = [names[i] for i in learnt]
        try:
            candidates, prior = fit(choices, samples, learnt_names, preset, extractor)
        except NoPrior as exc:
            return _whole(str(exc))
        held_out = [read[kept[i]] for i in out]
        progress("find the goods", 0, len(out))
        own, seen = [read[kept[i]] for i in learnt], Chosen(spool, [kept[i] for i in out])
        placed = find_goods(prior, own, held_out, seen, extractor, max_pixels)
    tried = try_out(
        held_out,
        candidates,
        extractor,
        placed.goods,
        seed=seed,
        max_pixels=max_pixels,
        progress=partial(progress, "try looks"),
    )
    rows = table([choice.kind for choice in choices], tried)
    best, why = taken(rows, surroundings=placed.found)
    trial = LookTrial(
        taken=choices[best].kind,
        why=why,
        goods="found" if placed.found else "everywhere",
        apart=round(prior.apart, 4),
        varied=round(prior.varied, 4),
        follows=None if placed.follows is None else round(placed.follows, 4),
        learnt=len(learnt),
        held_out=len(out),
        damaged=len(tried.drawn),
        seed=seed,
        rows=rows,
    )
    return LookChosen(choices[best], trial, tuple(candidates))


def _whole(why: str) -> LookChosen:
    return LookChosen(LookWhole(), LookTrial(taken="whole", why=f"whole: {why}"))

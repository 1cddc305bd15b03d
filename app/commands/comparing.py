"""The work of `compare` on one category: each preset's bank, evaluation, time and disputes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..cli import fault_of
from ..core.building.build import BuildProgress
from ..core.detector import Detector
from ..core.evaluating.comparison import compare
from ..core.evaluating.evaluation import evaluate, score_split
from ..core.evaluating.on_drawn import on_drawn
from ..core.evaluating.outcome import BankFacts, Outcome, aligned, disagreements, ranks
from ..core.evaluating.timing import TIMED, milliseconds
from ..core.judging.calibration import Rule
from ..core.photo.dataset import Category, LabelledImage, evenly
from ..reports.comparison_page import Compared, Shown, Tile
from ..reports.comparison_pictures import thumbnail
from .banks_to_compare import take_or_build
from .contenders import Contender
from .drawn_to_compare import Trial, trial_of

SHOWN = 6  # photos of a category on which the presets disagree most


def compare_category(
    category: Category,
    contenders: Sequence[Contender],
    rule: Rule | None,
    models: Path,
    progress: BuildProgress,
) -> Compared:
    """All presets on one category.

    Args:
        rule: a threshold rule in place of the presets'.
        models: banks lie in `<models>/<preset>/<category>`, those of another look than the preset's
            in `<models>/<preset>+<look>/<category>`; where some of the photos are held out, to be
            drawn on, the folder's name ends with `+drawn`.
    """

    def drawing(step: str, done: int, total: int) -> None:
        progress(f"{category.name}: {step}", done, total)

    with trial_of(category, contenders, drawing) as trial:
        return _compared(trial, contenders, rule, models, progress)


def _compared(
    trial: Trial,
    contenders: Sequence[Contender],
    rule: Rule | None,
    models: Path,
    progress: BuildProgress,
) -> Compared:
    category = trial.photos
    outcomes: list[Outcome] = []
    detectors: dict[str, Detector] = {}
    for contender in contenders:
        name = contender.label

        def show(step: str, done: int, total: int, name: str = name) -> None:
            progress(f"{category.name}: {name}: {step}", done, total)

        outcome = Outcome(name, contender.fault)
        try:
            if contender.extractor is not None:
                detector, taken = take_or_build(
                    models / f"{contender.folder}{trial.beside}",
                    category,
                    contender.preset,
                    contender.extractor,
                    trial.rule(contender.preset, rule),
                    show,
                    contender.asked,
                )
                outcome = replace(outcome, bank=bank_facts(detector, taken=taken))
                outcome = tried(category, detector, outcome, show)
                if trial.drawn is not None and outcome.evaluation is not None:
                    told = on_drawn(outcome.evaluation, outcome.scored, trial.drawn)
                    outcome = replace(outcome, evaluation=told)
                detectors[name] = detector
        except Exception as exc:  # whatever it is, the others can be compared
            outcome = replace(outcome, fault=fault_of(exc))
        outcomes.append(outcome)
    outcomes = timed(trial.timed, detectors, outcomes)
    shown = most_disputed(detectors, [o for o in outcomes if o.preset in detectors])
    figures = compare(category, outcomes, trial.drawn, trial.remarks)
    return Compared(figures, tuple(outcomes), tuple(shown))


def tried(
    category: Category, detector: Detector, outcome: Outcome, progress: BuildProgress
) -> Outcome:
    """The outcome with the split's scores and, where both labels are there, its evaluation."""

    def show(done: int, total: int) -> None:
        progress("evaluate", done, total)

    if {image.is_defective for image in category.test} != {False, True}:
        scored = score_split(category, detector.inspect, progress=show).scored
        return replace(outcome, scored=scored)
    run = evaluate(
        category,
        detector.manifest,
        detector.inspect,
        engine=detector.engine,
        anomaly_map=detector.anomaly_map,
        progress=show,
    )
    return replace(outcome, scored=run.scored, evaluation=run.evaluation)


def timed(
    photos: Sequence[Path], detectors: Mapping[str, Detector], outcomes: Sequence[Outcome]
) -> list[Outcome]:
    """The outcomes with each preset's milliseconds a photo."""
    inspectors: dict[str, Callable[[bytes], object]] = {n: d.inspect for n, d in detectors.items()}
    try:
        found = milliseconds(inspectors, evenly(photos, TIMED))
    except Exception:  # the figures are worth more than the clock
        found = {}
    return [replace(outcome, ms_per_photo=found.get(outcome.preset)) for outcome in outcomes]


def most_disputed(detectors: Mapping[str, Detector], outcomes: Sequence[Outcome]) -> list[Shown]:
    """The photos on which the presets disagree most, each with every preset's verdict and map."""
    images, scores = aligned(outcomes)
    places = {name: ranks(those) for name, those in scores.items()}
    shown: list[Shown] = []
    for index in disagreements(scores, SHOWN):
        image = images[index]
        with suppress(Exception):  # gone since, or too little memory: the figures are worth more
            views = [tile(n, detectors[n], image, float(places[n][index])) for n in scores]
            shown.append(Shown(image, thumbnail(image.path.read_bytes()), tuple(views)))
    return shown


def tile(name: str, detector: Detector, image: LabelledImage, rank: float) -> Tile:
    """One preset's view of one photo."""
    photo = image.path.read_bytes()
    inspection, overlay = detector.inspect_and_draw(photo)
    return Tile(
        name,
        rank,
        inspection.score,
        inspection.threshold,
        inspection.is_anomalous,
        None if overlay is None else thumbnail(overlay),
    )


def bank_facts(detector: Detector, *, taken: bool) -> BankFacts:
    manifest = detector.manifest
    return BankFacts(
        version=manifest.bank_version,
        look=manifest.look.kind,
        engine=detector.engine,
        images=manifest.counts.images,
        copies=manifest.counts.copies,
        bytes=manifest.bank_bytes,
        build_s=manifest.wall_time_s,
        taken=taken,
        threshold=manifest.threshold.value,
        alpha=manifest.threshold.alpha,
    )


def limited(category: Category, limit: int | None) -> Category:
    """That many training photos, and test photos of each label, evenly spread."""
    if limit is None:
        return category
    good = [image for image in category.test if not image.is_defective]
    defective = [image for image in category.test if image.is_defective]
    test = (*evenly(defective, limit), *evenly(good, limit))
    return replace(category, train=tuple(evenly(category.train, limit)), test=test)

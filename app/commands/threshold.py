"""Change a bank's alpha, threshold rule or value without a rebuild: written as a new version."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..cli import DeviceOption, ModelsOption, WeightsOption, console, stop, warn
from ..core.errors import GoodsGuardError

if TYPE_CHECKING:
    from ..core.judging.calibration import Rule
    from ..core.store.artifact import Artifact

_MOST_STD = 20


def main(
    category: Annotated[str, typer.Option(help="The category to change.")],
    models: ModelsOption = Path("models"),
    alpha: Annotated[
        float | None, typer.Option(min=0, max=1, help="Promise this false-alarm rate.")
    ] = None,
    mean_std: Annotated[
        float | None, typer.Option(min=0, help="threshold = mean + this many std.")
    ] = None,
    quantile: Annotated[
        float | None, typer.Option(min=0, max=1, help="threshold = this quantile.")
    ] = None,
    value: Annotated[
        float | None, typer.Option(min=0, help="threshold = exactly this score.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what it would do; write nothing.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="ROOT of ROOT/<category>/test/*/*: show recall and alarms there, too."),
    ] = None,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Give a bank another threshold, without building it again.

    It becomes a new version. Give exactly one of --alpha, --mean-std, --quantile and --value.
    """
    from ..core.photo.dataset import is_category_name
    from ..core.store import artifact as artifacts
    from ..core.store import clearing

    given = [choice is not None for choice in (alpha, mean_std, quantile, value)]
    if sum(given) != 1:
        raise stop("give exactly one of --alpha, --mean-std, --quantile and --value")
    if not is_category_name(category):
        raise stop(f"{category!r} is no category name: use [a-z0-9_-], at most 64 characters")
    try:
        old = artifacts.load(models, category)
        new = artifacts.with_threshold(old, _rule(alpha, mean_std, quantile, value))
        trial = _trial(old, new, data, weights, device) if dry_run or data else []
        manifest = old.manifest if dry_run else artifacts.save(models, new)
    except (GoodsGuardError, ValueError) as exc:
        raise stop(str(exc)) from exc
    tell = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    before, after = old.manifest.threshold, new.manifest.threshold
    written = "a dry run, nothing is written" if dry_run else f"→ {manifest.bank_version}"
    tell(f"{category}: {old.manifest.bank_version} {written}")
    tell(f"threshold {before.value:.4f} → {after.value:.4f}")
    tell(f"promised false-alarm rate {before.alpha:.3%} → {after.alpha:.3%}")
    for line in trial:
        tell(line)
    if dry_run:
        return
    tell("a running service takes it up by itself, once it is signed where that is asked")
    if remark := clearing.remark(models, category):
        warn(f"{category}: {remark}")


def _trial(
    old: Artifact, new: Artifact, data: Path | None, weights: Path | None, device: str
) -> list[str]:
    """What both thresholds do, a line for each kind of photo."""
    from . import threshold_trial as trials

    before, after = old.calibration.threshold, new.calibration.threshold
    alarms = [trials.on_calibration(old, threshold) for threshold in (before, after)]
    lines = [f"good photos of the calibration above it {alarms[0]} → {alarms[1]}"]
    if data is None:
        return [*lines, "recall is measured on labelled photos, of which a bank keeps no scores: "
                "give --data ROOT"]  # fmt: skip
    scored = trials.score_photos(data, old, weights, device)
    for name, defective in (("recall", True), ("false alarms", False)):
        rates = [trials.caught(scored, value, defective=defective) for value in (before, after)]
        lines.append(f"observed {name} in {data}: {rates[0]} → {rates[1]}")
    return lines


def _rule(
    alpha: float | None, mean_std: float | None, quantile: float | None, value: float | None
) -> Rule:
    from ..core.judging.calibration import Alpha, Fixed, MeanStd, Quantile

    for name, share in (("--alpha", alpha), ("--quantile", quantile)):
        if share is not None and not 0 < share < 1:
            raise stop(f"{name} {share:g}: give a number between 0 and 1, such as 0.01 or 0.99")
    if mean_std is not None and not 0 <= mean_std <= _MOST_STD:
        raise stop(f"--mean-std {mean_std:g}: give a number from 0 to {_MOST_STD}")
    if value is not None and not 0 <= value < math.inf:
        raise stop(f"--value {value:g}: give a number from 0 on")
    if alpha is not None:
        return Alpha(alpha=alpha)
    if mean_std is not None:
        return MeanStd(k=mean_std)
    if quantile is not None:
        return Quantile(q=quantile)
    assert value is not None
    return Fixed(threshold=value)

"""Change a bank's alpha, threshold rule or value without a rebuild: written as a new version."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..cli import (
    AlphaOption,
    DeviceOption,
    ModelsOption,
    WeightsOption,
    alpha_rule,
    console,
    stop,
    warn,
)
from ..core.errors import GoodsGuardError

if TYPE_CHECKING:
    from ..core.judging.calibration import Alpha, Rule
    from ..core.store.artifact import Artifact


def main(
    category: Annotated[
        str, typer.Option(help="The category to change, by its name or its folder's.")
    ],
    models: ModelsOption = Path("models"),
    alpha: AlphaOption = None,
    mean_std: Annotated[
        float | None, typer.Option(help="threshold = mean + this many std.")
    ] = None,
    quantile: Annotated[float | None, typer.Option(help="threshold = this quantile.")] = None,
    value: Annotated[float | None, typer.Option(help="threshold = exactly this score.")] = None,
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
    from ..core.store import artifact as artifacts
    from ..core.store import clearing
    from ..core.store.whereabouts import stored_category

    given = [choice is not None for choice in (alpha, mean_std, quantile, value)]
    if sum(given) != 1:
        raise stop("give exactly one of --alpha, --mean-std, --quantile and --value")
    promised = alpha_rule(alpha)
    try:
        rule = _rule(promised, mean_std, quantile, value)
        category = stored_category(models, category)
        old = artifacts.load(models, category)
        new = artifacts.with_threshold(old, rule)
        trial = _trial(old, new, data, weights, device) if dry_run or data else []
        manifest = old.manifest if dry_run else artifacts.save(models, new)
    except GoodsGuardError as exc:
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
    alpha: Alpha | None, mean_std: float | None, quantile: float | None, value: float | None
) -> Rule:
    from ..core.judging.calibration import Fixed, MeanStd, Quantile

    if alpha is not None:
        return alpha
    if mean_std is not None:
        return MeanStd(k=mean_std)
    if quantile is not None:
        return Quantile(q=quantile)
    assert value is not None
    return Fixed(threshold=value)

"""Change a bank's alpha, threshold rule or value without a rebuild: written as a new version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..cli import ModelsOption, console, stop
from ..core.errors import GoodsGuardError

if TYPE_CHECKING:
    from ..core.judging.calibration import Rule


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
) -> None:
    """Give a bank another threshold, without building it again.

    It becomes a new version. Give exactly one of --alpha, --mean-std, --quantile and --value.
    """
    from ..core.store import artifact as artifacts

    given = [choice is not None for choice in (alpha, mean_std, quantile, value)]
    if sum(given) != 1:
        raise stop("give exactly one of --alpha, --mean-std, --quantile and --value")
    try:
        old = artifacts.load(models, category)
        new = artifacts.with_threshold(old, _rule(alpha, mean_std, quantile, value))
        manifest = artifacts.save(models, new)
    except (GoodsGuardError, ValueError) as exc:
        raise stop(str(exc)) from exc
    before, after = old.manifest.threshold, manifest.threshold
    console.print(f"{category}: {old.manifest.bank_version} → {manifest.bank_version}")
    console.print(f"threshold {before.value:.4f} → {after.value:.4f}")
    console.print(f"promised false-alarm rate {before.alpha:.3%} → {after.alpha:.3%}")
    console.print("a running service takes it up by itself, once it is signed where that is asked")


def _rule(
    alpha: float | None, mean_std: float | None, quantile: float | None, value: float | None
) -> Rule:
    from ..core.judging.calibration import Alpha, Fixed, MeanStd, Quantile

    if alpha is not None:
        return Alpha(alpha=alpha)
    if mean_std is not None:
        return MeanStd(k=mean_std)
    if quantile is not None:
        return Quantile(q=quantile)
    assert value is not None
    return Fixed(threshold=value)

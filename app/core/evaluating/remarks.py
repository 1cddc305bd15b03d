"""What a person must know before any figure: a bank that cannot be used, a promise not kept."""

from __future__ import annotations

from collections.abc import Iterator

from . import metrics
from .metrics import Floats

_TELLS = 0.75  # an AUROC from which a bank tells good from defective, wherever the threshold lies
_ENOUGH = 20  # photos of a label; below, an interval is as wide as all there is


def remarks(good: Floats, defective: Floats, threshold: float, alpha: float) -> Iterator[str]:
    """Sentences, the gravest first; none where the bank does what it promises.

    Args:
        good, defective: scores of the photos, (n,) and (m,). alpha: the promised rate.
    """
    catch = _catch(good, defective, threshold, alpha)
    if catch:
        yield catch
    alarms = int((good > threshold).sum())
    low, high = metrics.binomial_interval(alarms, len(good))
    if low > alpha:
        yield (
            f"calls {alarms} of {len(good)} good photos anomalous ({alarms / len(good):.1%}, 95 % "
            f"interval {low:.1%} to {high:.1%}) where {alpha:.2%} are promised. Likely cause: "
            "these photos differ from those of train/good (light, camera, another kind), or "
            "train/good holds copies of few photos, or too few. Try: photos of these conditions "
            "in train/good, and build again"
        )
    area, (least, most) = metrics.auroc(good, defective), metrics.auroc_interval(good, defective)
    if most < 0.5:
        yield (
            f"defective photos score lower than good ones (AUROC {area:.3f}). Likely cause: the "
            "folders of good and defective photos are exchanged. Try: look at them"
        )
    elif least <= 0.5 and not catch and min(len(good), len(defective)) >= _ENOUGH:
        yield (
            f"does not tell good from defective better than chance (AUROC {area:.3f}, 95 % "
            f"interval {least:.3f} to {most:.3f}). Try: another preset"
        )


def _catch(good: Floats, defective: Floats, threshold: float, alpha: float) -> str:
    """What is wrong with a bank that catches nothing, or no more than it raises false alarms."""
    caught = int((defective > threshold).sum())
    if caught and caught / len(defective) > max(alpha, float((good > threshold).mean())):
        return ""
    area = metrics.auroc(good, defective)
    highest = max(float(good.max()), float(defective.max()))
    if area < _TELLS:
        why = (
            f"the scores do not tell defective from good (AUROC {area:.3f}): the damage is too "
            "small or too faint for this preset, or the goods are shown at any angle or before "
            "busy backgrounds, which differ more than the damage does",
            "another preset (`goodsguard compare`), one that looks at more pixels, or photos of "
            "the goods alone, lying alike before a plain background",
        )
    elif threshold > highest:
        why = (
            f"the threshold {threshold:.4g} lies above every score of the split (the highest is "
            f"{highest:.4g}): photos in train/good that are unlike the others raise it",
            "take odd or damaged photos out of train/good and build again, or a larger --alpha "
            "(`goodsguard threshold --dry-run --data ROOT` shows what it would catch)",
        )
    elif threshold < float(good.min()):
        why = (
            f"the threshold {threshold:.4g} lies below every score of the split: these photos "
            "differ from those of train/good, or train/good holds copies of few photos",
            "good photos of the same kind, light and camera in train/good, and build again",
        )
    else:
        why = (
            f"the threshold {threshold:.4g} lies too high: good photos of train/good score as "
            "high as the damage",
            "more good photos, taken alike, or a larger --alpha (`goodsguard threshold --dry-run "
            "--data ROOT` shows what it would catch)",
        )
    much = "" if caught == 0 else ", no larger share than it raises false alarms"
    first = f"catches {caught} of {len(defective)} defective photos{much}: not usable"
    return f"{first}. Likely cause: {why[0]}. Try: {why[1]}"

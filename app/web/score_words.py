"""A score against its threshold and a p-value, in words."""

from __future__ import annotations

from .rendering import percent

# Nearer to the threshold than this, as a share of it, a figure would only say "1".
_JUST = 0.005


def against_threshold(score: float, threshold: float) -> str:
    """How the score lies to the threshold: "2.1 times the threshold"."""
    if threshold <= 0:
        return "above the threshold" if score > threshold else "not above the threshold"
    ratio = score / threshold
    if score > threshold:
        if ratio < 1 + _JUST:
            return "just above the threshold"
        times = (
            f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 1.995 else f"{ratio:.2f}"
        )
        return f"{times} times the threshold"
    if score == threshold:
        return "exactly the threshold, which is not above it"
    return (
        "just below the threshold"
        if ratio > 1 - _JUST
        else f"{ratio * 100:.0f}\N{NO-BREAK SPACE}% of the threshold"
    )


def among_good(p_value: float, photos: int | None) -> str:
    """What a conformal p-value means, in a sentence.

    Args:
        photos: how many calibration scores it was counted in; None: that is not known here.
    """
    if photos is None:
        return f"Of good photos at most about {percent(p_value)} score as high."
    as_high = round(p_value * (photos + 1)) - 1
    who = f"of the {photos:,} good photos that were kept for comparison"
    if as_high < 1:
        return (
            f"None {who} scored as high: of good photos at most about {percent(p_value)} do "
            f"(p-value {p_value:.2g})."
        )
    counted = "all" if as_high >= photos else f"{as_high:,}"
    return (
        f"{counted.capitalize()} {who} scored as high or higher: so do about {percent(p_value)} of "
        f"good photos (p-value {p_value:.2g})."
    )

"""Give the bank that serves another threshold: a new version, which serves at once."""

from __future__ import annotations

from pathlib import Path

import structlog

from ..core.errors import ArtifactError, SignatureError
from ..core.judging.calibration import Fixed
from ..core.store import artifact as artifacts
from ..core.store.manifest import Manifest
from .reloads import Reloaded, Reloads

log = structlog.get_logger()


class AnotherServes(ArtifactError):
    """Another version serves by now than the one whose threshold was to change."""


def use_threshold(
    models: Path, reloads: Reloads, category: str, version: str, value: float, *, signed: bool
) -> tuple[Manifest, list[Reloaded]]:
    """Write the version under a fixed threshold as a new one, as `goodsguard threshold --value`
    does, and take it up.

    Args:
        version: the one that serves, as far as the caller knows.
        signed: only signed banks serve.

    Returns:
        what was written, and what was taken up with it.

    Raises:
        UnknownCategory, CategoryUnavailable: it does not serve. AnotherServes.
        SignatureError: nothing was written, since it would not serve.
        InvalidRule, CalibrationError: of the value.
        NotWritable: the models folder cannot be written.
        ArtifactError: the version cannot be read, or the new one cannot serve.
    """
    serving = reloads.registry.detector(category).manifest.bank_version
    if serving != version:
        raise AnotherServes(
            f"{serving} serves by now, not {version}: load the page again and look at its scores"
        )
    if signed:
        raise SignatureError(
            "only signed banks serve here (GOODSGUARD_TRUSTED_KEYS), and this page cannot sign: "
            f"run `goodsguard threshold --category {category} --value {value!r}` and "
            "`goodsguard sign` where the key lies. Nothing was written"
        )
    old = artifacts.load(models, category, version)
    manifest = artifacts.save(models, artifacts.with_threshold(old, Fixed(threshold=value)))
    log.info(
        "threshold set",
        category=category,
        before=old.manifest.threshold.value,
        after=value,
        bank_version=manifest.bank_version,
    )
    results = reloads.watch()
    # The service looks for new versions by itself, too: it may have been quicker.
    serving = reloads.registry.detector(category).manifest.bank_version
    if serving != manifest.bank_version:
        reason = reloads.registry.failures.get(category, f"{serving} serves")
        raise ArtifactError(f"{manifest.bank_version} was written but does not serve: {reason}")
    return manifest, results

"""Start an evaluation, and tell where one stands."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial

from ..core.crew import beside
from ..core.detector import Detector
from ..core.evaluating.evaluation import Evaluation
from ..core.store.manifest import Manifest
from .schemas import EvaluationProgress, EvaluationStatus
from .services import Services


async def evaluation_started(parts: Services, detector: Detector) -> Future[Evaluation]:
    """Have the stored test split scored in the background; a job under way is joined.

    Raises:
        NoTestSplit: no test split is stored for the category.
    """
    inspect = partial(parts.inspector.inspect_in_background, detector)
    # Listing a test split reads folders, which may be slow or remote.
    return await beside(partial(parts.evaluations.start, detector, inspect), "split")


def evaluation_status(parts: Services, manifest: Manifest) -> EvaluationStatus:
    """The latest result of a bank version, and the progress of a job under way; reads a file."""
    job = parts.evaluations.job(manifest)
    stored = (job and job.result) or parts.evaluations.stored(manifest)
    if job is None:
        n = stored.n_good + stored.n_defective + stored.n_unreadable if stored else 0
        state = "done" if stored else "none"
        return EvaluationStatus(
            category=manifest.category,
            bank_version=manifest.bank_version,
            state="done" if state == "done" else "none",
            progress=EvaluationProgress(done=n, total=n),
            result=stored,
        )
    return EvaluationStatus(
        category=manifest.category,
        bank_version=manifest.bank_version,
        state=job.state,
        progress=EvaluationProgress(done=job.done, total=job.total),
        error=job.error,
        result=stored,
    )

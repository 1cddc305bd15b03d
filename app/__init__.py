"""GoodsGuard: spots damaged goods in photos, learning from good ones only.

What other programs may use is in `__all__` and described in docs/python.md. It is loaded when it is
first asked for, since torch takes seconds: `import goodsguard` alone does not.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.building.build import Build, build_bank
    from .core.building.preset import load_preset, preset_names
    from .core.errors import GoodsGuardError
    from .core.evaluating.evaluation import Evaluation, evaluate
    from .core.judging.anomaly_map import Region
    from .core.judging.calibration import Alpha
    from .core.judging.explanation import Explanation
    from .core.judging.inspection import Inspection
    from .core.photo.dataset import read_category, read_test_split
    from .core.store.artifact import save as save_bank
    from .opening import Detector, load_extractor

__version__ = "0.1.0"

__all__ = [
    "Alpha",
    "Build",
    "Detector",
    "Evaluation",
    "Explanation",
    "GoodsGuardError",
    "Inspection",
    "Region",
    "__version__",
    "build_bank",
    "evaluate",
    "load_extractor",
    "load_preset",
    "preset_names",
    "read_category",
    "read_test_split",
    "save_bank",
]

# Where each name is at home; the imports above tell type checkers the same.
_HOMES = {
    "Alpha": ".core.judging.calibration",
    "Build": ".core.building.build",
    "Detector": ".opening",
    "Evaluation": ".core.evaluating.evaluation",
    "Explanation": ".core.judging.explanation",
    "GoodsGuardError": ".core.errors",
    "Inspection": ".core.judging.inspection",
    "Region": ".core.judging.anomaly_map",
    "build_bank": ".core.building.build",
    "evaluate": ".core.evaluating.evaluation",
    "load_extractor": ".opening",
    "load_preset": ".core.building.preset",
    "preset_names": ".core.building.preset",
    "read_category": ".core.photo.dataset",
    "read_test_split": ".core.photo.dataset",
    "save_bank": ".core.store.artifact",
}
_NAMES_AT_HOME = {"save_bank": "save"}

# OpenMP threads that wait for each other shall sleep, not spin: beside a camera system's own load a
# spinning thread holds the core that the one it waits for needs. Read once, when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def __getattr__(name: str) -> Any:
    """One of the names above, from its home (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name], __name__), _NAMES_AT_HOME.get(name, name))
    globals()[name] = found  # asked for once
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

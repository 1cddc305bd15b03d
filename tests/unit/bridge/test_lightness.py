"""The bridge runs beside the service on small machines: it brings nothing that judges photos."""

from __future__ import annotations

import subprocess
import sys

from tests.support import ROOT

# Every module of the room, and what of the heavy ones came with it.
PROGRAM = """
import sys
from importlib import import_module
from pkgutil import walk_packages
import app.bridge
for module in walk_packages(app.bridge.__path__, "app.bridge."):
    if not module.name.endswith("__main__"):
        import_module(module.name)
heavy = {"torch", "torchvision", "openvino", "faiss", "timm", "sklearn", "scipy", "matplotlib"}
print(",".join(sorted(heavy & set(sys.modules))))
"""


def test_importing_the_bridge_loads_no_network() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")

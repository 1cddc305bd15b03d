"""GoodsGuard: spots damaged goods in photos with memory banks of good items."""

import os

__version__ = "0.1.0"

# OpenMP threads that wait for each other shall sleep, not spin: beside a camera system's own load a
# spinning thread holds the core that the one it waits for needs. Read once, when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

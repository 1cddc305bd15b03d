"""Tests. Read before torch is loaded: on a busy machine one thread per pool is the fastest."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
# A developer's own settings must not reach the tests; where the shared files lie may.
for _name in [n for n in os.environ if n.startswith("GOODSGUARD_") and n != "GOODSGUARD_SHARED"]:
    del os.environ[_name]
os.environ["GOODSGUARD_THREADS"] = "1"

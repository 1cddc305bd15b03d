"""Stored banks + a labelled test split -> figures and a report: `goodsguard evaluate`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # this checkout, whatever is installed

from app.cli import run
from app.commands.evaluate import main

__all__ = ["main"]

if __name__ == "__main__":
    run(main)

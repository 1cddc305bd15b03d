"""Presets beside each other on the same split, on one page: `goodsguard compare`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # this checkout, whatever is installed

from app.cli import run
from app.commands.compare import main

__all__ = ["main"]

if __name__ == "__main__":
    run(main)

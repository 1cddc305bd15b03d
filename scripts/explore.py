"""A data folder -> what is in it, before a bank is built from it: `goodsguard explore`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # this checkout, whatever is installed

from app.cli import run
from app.commands.explore import main

__all__ = ["main"]

if __name__ == "__main__":
    run(main)

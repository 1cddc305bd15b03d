"""Presets beside each other on the same split: one page, and the figures as JSON."""

from __future__ import annotations

import typer

from app.commands.compare import main

if __name__ == "__main__":
    typer.run(main)

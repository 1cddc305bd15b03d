"""Write the OpenAPI document to docs/openapi.json, the committed copy that a test compares with."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # this checkout, whatever is installed

from app.main import create_app
from app.settings import Settings

TARGET = Path(__file__).parents[1] / "docs" / "openapi.json"


def render() -> str:
    """The document as it is committed: sorted keys, so that diffs stay small."""
    document = create_app(Settings()).openapi()
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")

"""Schema 3, in which k nearest neighbours were the only method, read as schema 4.

Converted in memory; the files stay as they are, so that their hashes and signatures hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERSION = 3

# Tensors' names then -> now.
RENAMED: Mapping[str, str] = {
    "bank": "method.vectors",
    "centroids": "method.centroids",
    "list_of": "method.list_of",
}


def converted(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest's fields of schema 3 -> those of schema 4.

    Raises:
        KeyError, TypeError: it lacks a field, or has another form.
    """
    old = dict(manifest)
    bank, coreset = dict(old.pop("bank")), dict(old.pop("coreset"))
    scoring, search = dict(old.pop("scoring")), dict(old.pop("search"))
    rule = dict(coreset["rule"])
    # Which columns were kept stands in the feature spec; the ratio follows from the numbers.
    rule.pop("highest_std_dimensions", None)
    search["kind"] = search.pop("method")
    settings = {"k": scoring.pop("k"), "search": search} | rule
    facts = {"vectors": bank["vectors"], "dimensions": bank["dimensions"]}
    return old | {
        "schema_version": 4,
        "method": {"kind": "knn", "settings": settings, "facts": facts},
        "scoring": scoring,
    }

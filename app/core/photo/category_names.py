"""The names of categories, and the name that a folder gets whose own no category may have."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from ..errors import DatasetError
from ..files import shown

CATEGORY_PATTERN = r"[a-z0-9][a-z0-9_-]{0,63}"
_LONGEST = 64


def is_category_name(name: str) -> bool:
    """Whether `name` may be a category (`[a-z0-9][a-z0-9_-]{0,63}`)."""
    return re.fullmatch(CATEGORY_PATTERN, name) is not None


def made_name(folder: str) -> str:
    """The category that a folder's name stands for: `Drink Can` and `Drink.Can` are `drink_can`.

    Capitals become small, accents are dropped, whatever else a name may not have becomes `_`. A
    letter that has no such form is never dropped: two names would become one.

    Raises:
        DatasetError: no name can be made; the text says why.
    """
    if is_category_name(folder):
        return folder
    plain = _without_accents(folder.casefold())
    foreign = [c for c in plain if ord(c) > 127 and unicodedata.category(c)[0] in "LNC"]
    if foreign:
        odd = shown("".join(dict.fromkeys(foreign)))
        raise DatasetError(f"its name has {odd}, which a category's name (a-z, 0-9, _, -) cannot")
    if plain.startswith(("_", "-")):
        raise DatasetError("its name starts with _ or -, a category's with a letter or a digit")
    name = re.sub(r"[^a-z0-9_-]+", "_", plain).strip("_-")
    if not name:
        raise DatasetError("its name has no letter a-z and no digit")
    if len(name) > _LONGEST:
        raise DatasetError(f"its name has {len(name)} characters, a category's at most {_LONGEST}")
    return name


def among(name: str, known: Collection[str]) -> str | None:
    """Which of the known categories a person means by its own name, or by that of its folder."""
    if name in known:
        return name
    if "/" in name or "\\" in name or not name.isprintable():  # no folder's name
        return None
    try:
        made = made_name(name)
    except DatasetError:
        return None
    return made if made in known else None


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))

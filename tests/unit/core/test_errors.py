from __future__ import annotations

import inspect
import re

from app.core import errors

CLASSES = {
    name: cls
    for name, cls in vars(errors).items()
    if inspect.isclass(cls) and issubclass(cls, Exception)
}


def drawn_tree() -> dict[str, str | None]:
    """Each class of the tree at the top of errors.py, and the class that it hangs from."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"([│├└─ ]*)([A-Z]\w+)", line):
            depth = len(match[1]) // 4
            if depth or match[2] == "GoodsGuardError":
                parents[match[2]] = above[depth - 1] if depth else None
                above[depth:] = [match[2]]
    return parents


def test_the_drawn_tree_names_every_class() -> None:
    assert set(drawn_tree()) == set(CLASSES)


def test_the_drawn_tree_is_the_real_one() -> None:
    real = {name: cls.__base__.__name__ for name, cls in CLASSES.items() if cls.__base__}
    assert drawn_tree() == real | {"GoodsGuardError": None}


def test_every_class_says_what_it_means() -> None:
    assert [name for name, cls in CLASSES.items() if not cls.__doc__] == []


def test_overloaded_says_when_to_come_back() -> None:
    error = errors.Overloaded("full", 7)
    assert (str(error), error.retry_after) == ("full", 7)

"""Whether the photos carry the promise: refused as soon as that is certain, with the reason."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..errors import CalibrationError, TooManyUnreadable
from ..judging.calibration import Alpha, Rule, alpha_to_ask_for
from .reading import Unreadable

# A folder of photos has the odd broken file; more than this share means that something is wrong.
MAX_UNREADABLE = 0.05
_FEWEST = 2  # one is left out, and the other says what it is compared with


@dataclass
class Promise:
    """What the build of one category asks of its photos, and what is known of them so far.

    Attributes:
        images: files of the category. max_unreadable: the share of broken ones accepted.
        unreadable: those found. copies: photos that count no more, since another shows the same.
        patient: too few are refused by `check_left` alone, when all have been counted.
    """

    category: str
    rule: Rule
    images: int
    max_unreadable: float = MAX_UNREADABLE
    unreadable: list[Unreadable] = field(default_factory=list)
    copies: int = 0
    patient: bool = False

    @property
    def needed(self) -> int:
        """So many different photos carry the promise."""
        if not isinstance(self.rule, Alpha):
            return _FEWEST
        return max(_FEWEST, math.ceil(1 / self.rule.alpha - 1 - 1e-9))

    @property
    def left(self) -> int:
        return self.images - len(self.unreadable) - self.copies

    @property
    def is_close(self) -> bool:
        """Broken files that are accepted may still cost the promise: worth a look before work.
        So are too few files, for the rate to ask for is that of those which count."""
        return self.images * (1 - self.max_unreadable) < self.needed

    def add(self, unreadable: Sequence[Unreadable] = (), copies: int = 0) -> None:
        """Take note of more, and refuse what cannot become a bank any more.

        Raises:
            TooManyUnreadable, CalibrationError.
        """
        self.unreadable += unreadable
        self.copies += copies
        self.check()

    def check(self) -> None:
        """Refuse what cannot become a bank.

        Raises:
            TooManyUnreadable, CalibrationError.
        """
        broken = len(self.unreadable)
        if broken and broken == self.images:
            raise TooManyUnreadable(
                f"none of the {self.images} images can be read: {names(self.unreadable)}"
            )
        if broken > self.max_unreadable * self.images:
            raise TooManyUnreadable(
                f"{broken} of {self.images} images of {self.category} cannot be read, more than "
                f"{self.max_unreadable:.0%}: {names(self.unreadable)}. Replace them, or "
                "accept more (max_unreadable, --max-unreadable)."
            )
        if not self.patient:
            self.check_left()

    def check_left(self) -> None:
        """Refuse too few different photos.

        Raises:
            CalibrationError.
        """
        if self.left < self.needed:
            raise CalibrationError(self._too_few())

    def _too_few(self) -> str:
        lost = " and ".join(self._losses())
        of = f" of {self.images} ({lost})" if lost else ""
        if self.left < _FEWEST:
            return f"a bank needs {_FEWEST} different good images or more; {self.left}{of} is left"
        assert isinstance(self.rule, Alpha)
        asked, smallest = f"{self.rule.alpha:g}", alpha_to_ask_for(self.left)
        return (
            f"{self.left} different photos{of} cannot carry a false-alarm rate of {asked}: the "
            f"smallest they can is {smallest:g}. Ask for that (--alpha {smallest:g}, or in Python "
            f"Alpha(alpha={smallest:g})), or add good "
            f"photos until there are {self.needed}."
        )

    def _losses(self) -> Iterator[str]:
        if self.unreadable:
            yield f"{len(self.unreadable)} cannot be read: {names(self.unreadable)}"
        if self.copies:
            verb = "is a copy" if self.copies == 1 else "are copies"
            yield f"{self.copies} {verb} of others"


def names(unreadable: Sequence[Unreadable]) -> str:
    """The first of them, each with its reason."""
    shown = [f"{u.path.name} ({u.reason})" for u in unreadable[:3]]
    return "; ".join(shown) + ("; …" if unreadable[3:] else "")

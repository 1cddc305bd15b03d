"""What may be wrong with records. None of it knows of HTTP.

RecordsError                    base: the records cannot be used as asked
├── RecordsUnavailable          the database cannot be opened, read or written now
│   ├── WrongDatabase           its URL is wrong, or what it leads to is no database of ours
│   ├── RecordsFull             its disk has no space left
│   ├── DriverMissing           the package that speaks to it is not installed
│   ├── NewerDatabase           written by a newer program
│   └── RecordsOff              none are kept here
├── RecordRefused               a value that the database does not take
├── UnknownVerdict              no verdict of that id is stored
├── InvalidReview               a review with a value that cannot be
├── ReviewConflict              another review was stored under that id
├── InvalidCursor               not a cursor that a page gave
└── ExtraMissing                an optional package is not installed
"""

from __future__ import annotations

from ..core.errors import GoodsGuardError


class RecordsError(GoodsGuardError):
    """The records cannot be used as asked."""


class RecordsUnavailable(RecordsError):
    """The database cannot be opened, read or written now; the text never holds its password."""

    @property
    def public(self) -> str:
        return "the records cannot be used now; the service's log says why"


class WrongDatabase(RecordsUnavailable):
    """The URL is wrong, or what it leads to is no database of ours."""


class RecordsFull(RecordsUnavailable):
    """The disk of the database has no space left."""


class DriverMissing(RecordsUnavailable):
    """The package that speaks to the database is not installed; the text names the extra."""

    @property
    def public(self) -> str:
        return str(self)


class NewerDatabase(RecordsUnavailable):
    """Written by a newer program, whose tables this one does not know."""


class RecordsOff(RecordsUnavailable):
    """None are kept here, by the settings or since the service ends."""

    @property
    def public(self) -> str:
        return str(self)


class RecordRefused(RecordsError):
    """A value that the database does not take, now or ever."""

    @property
    def public(self) -> str:
        return "a value was sent that cannot be stored or looked for"


class UnknownVerdict(RecordsError):
    """No verdict of that id is stored."""


class InvalidReview(RecordsError, ValueError):
    """A review with a value that it cannot have; the text says which."""


class ReviewConflict(RecordsError):
    """Another review was stored under that id."""


class InvalidCursor(RecordsError, ValueError):
    """Not a cursor that a page gave."""


class NotTheLatest(RecordsError):
    """A review that does not count any more, since somebody has reviewed the verdict again."""


class ExtraMissing(RecordsError):
    """An optional package is not installed; the text names the extra."""

"""A recorded verdict by its id, also one that is just being written."""

from __future__ import annotations

from uuid import UUID

from ..records import reading
from ..records.errors import UnknownVerdict
from ..records.opening import Records
from ..records.verdicts import Verdict
from .services import Services

# A verdict that was answered a moment ago may still be on its way.
_ON_ITS_WAY_S = 1.0


async def stored(parts: Services, identity: UUID) -> Verdict:
    """A verdict, also one that is just being written.

    Raises:
        UnknownVerdict, RecordsUnavailable.
    """

    def find(records: Records) -> Verdict:
        try:
            return reading.verdict(records, identity)
        except UnknownVerdict:
            parts.records.flush(_ON_ITS_WAY_S)
            return reading.verdict(records, identity)

    return await parts.records.ask(find)

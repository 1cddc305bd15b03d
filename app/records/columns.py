"""How values lie in a database: the same on SQLite and PostgreSQL, small, and in their order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Counts up. SQLite does so by itself for a plain INTEGER only, which is the row's own address.
Number = BigInteger().with_variant(Integer, "sqlite")


class Time(TypeDecorator[datetime]):
    """Microseconds since 1970 in UTC: 8 bytes, no zone to be unsure of; datetimes in and out."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else _EPOCH + value * _MICROSECOND


class Sha256(TypeDecorator[str]):
    """32 bytes; 64 hexadecimal digits in and out."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else bytes(value).hex()


def microseconds(time: datetime) -> int:
    """Since 1970, exactly.

    Raises:
        TypeError: a time without its zone.
    """
    return (time - _EPOCH) // _MICROSECOND

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bridge.triggers.opening import Opening

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def opening(*hours: str, zone: str = "UTC") -> Opening:
    return Opening.parse(hours, zone)


def at(day: int, clock: str) -> datetime:
    """On that day, Monday the 0th, at that time in UTC."""
    hours, minutes = map(int, clock.split(":"))
    return MONDAY + timedelta(days=day, hours=hours, minutes=minutes)


def test_without_hours_it_is_always_open() -> None:
    assert opening().is_open(MONDAY)
    assert opening().seconds_a_day == 86400


@pytest.mark.parametrize(
    ("hours", "day", "clock", "is_open"),
    [
        ("08:00-20:00", 0, "07:59", False),
        ("08:00-20:00", 6, "08:00", True),
        ("08:00-20:00", 0, "20:00", False),
        ("mon-sat 8:00 - 20:00", 6, "12:00", False),
        ("Mon,Wed 08:00-20:00", 2, "12:00", True),
        ("mon,wed 08:00-20:00", 1, "12:00", False),
        ("sat-mon 08:00-20:00", 0, "12:00", True),
        ("sat-mon 08:00-20:00", 1, "12:00", False),
        ("fri 22:00-02:00", 4, "23:00", True),
        ("fri 22:00-02:00", 5, "01:59", True),
        ("fri 22:00-02:00", 5, "02:00", False),
        ("fri 22:00-02:00", 4, "01:00", False),  # that night belongs to Thursday
        ("sun 22:00-02:00", 0, "01:00", True),  # over the end of the week
        ("00:00-24:00", 3, "23:59", True),
        ("00:00-00:00", 3, "00:00", True),
    ],
)
def test_hours_mean_what_they_say(hours: str, day: int, clock: str, is_open: bool) -> None:
    assert opening(hours).is_open(at(day, clock)) is is_open


def test_several_spans_add_up() -> None:
    shop = opening("mon-fri 08:00-12:00", "mon-fri 14:00-18:00", "sat 09:00-12:00")
    assert [shop.is_open(at(0, c)) for c in ("09:00", "13:00", "15:00")] == [True, False, True]
    assert shop.seconds_a_day == 8 * 3600


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 7 * 1440 - 1))
def test_what_is_closed_is_what_the_other_span_of_the_day_opens(
    start: int, end: int, minute: int
) -> None:
    """From a to b and from b to a cover each moment once, over midnight or not."""
    if start == end:
        return
    a, b = (f"{m // 60:02d}:{m % 60:02d}" for m in (start, end))
    moment = MONDAY + timedelta(minutes=minute)
    assert opening(f"{a}-{b}").is_open(moment) is not opening(f"{b}-{a}").is_open(moment)


def test_the_clock_is_that_of_the_zone_in_summer_and_in_winter() -> None:
    berlin = opening("08:00-20:00", zone="Europe/Berlin")
    assert not berlin.is_open(datetime(2026, 1, 5, 6, 59, tzinfo=UTC))
    assert berlin.is_open(datetime(2026, 1, 5, 7, 0, tzinfo=UTC))
    assert berlin.is_open(datetime(2026, 7, 6, 6, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    "hours", ["", "8-20", "08:00-25:00", "08:60-09:00", "monday 08:00-09:00", "mon-xx 08:00-09:00"]
)
def test_what_cannot_be_read_is_refused_with_an_example(hours: str) -> None:
    with pytest.raises(ValueError, match=r'write hours as "08:00-20:00"'):
        opening(hours)

from __future__ import annotations

import pytest

from app.access.rate_limit import RateLimiter
from app.access.wrong_keys import WrongKeys

A_MINUTE = 30
HERE, THERE = "192.0.2.1", "192.0.2.2"


class Clock:
    def __init__(self) -> None:
        self.ns = 10**15

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(clock: Clock) -> WrongKeys:
    return WrongKeys(RateLimiter(clock), A_MINUTE, max_known=3)


def guess(keys: WrongKeys, number: int, address: str = HERE) -> int:
    """How many of so many different guesses are looked at."""
    looked_at = 0
    for n in range(number):
        given = f"guess {n}".encode()
        if keys.wait(address, given) == 0:
            keys.wrong(address, given)
            looked_at += 1
    return looked_at


def test_so_many_are_looked_at_in_a_minute(keys: WrongKeys, clock: Clock) -> None:
    assert guess(keys, 1000) == A_MINUTE
    assert keys.wait(HERE, b"another") == 60 // A_MINUTE
    clock.ns += 60 * 10**9
    assert guess(keys, 1000) == A_MINUTE


def test_other_addresses_do_not_matter(keys: WrongKeys) -> None:
    guess(keys, 1000)
    assert keys.wait(THERE, b"right") == 0
    assert guess(keys, 1000, THERE) == A_MINUTE


def test_a_key_that_opened_is_let_through_whatever_its_neighbours_send(keys: WrongKeys) -> None:
    keys.right(HERE, b"right")
    guess(keys, 1000)
    assert keys.wait(HERE, b"right") == 0


def test_a_key_that_opened_elsewhere_is_not_known_here(keys: WrongKeys) -> None:
    """Or whoever guesses would be told by who is let in at once."""
    keys.right(THERE, b"right")
    guess(keys, 1000)
    assert keys.wait(HERE, b"right") > 0


def test_a_new_right_key_is_looked_at_once_the_address_may_try_again(
    keys: WrongKeys, clock: Clock
) -> None:
    guess(keys, 1000)
    clock.ns += keys.wait(HERE, b"right") * 10**9
    assert keys.wait(HERE, b"right") == 0


def test_a_key_that_opens_no_more_is_like_any_other(keys: WrongKeys) -> None:
    keys.right(HERE, b"right")
    keys.wrong(HERE, b"right")
    guess(keys, 1000)
    assert keys.wait(HERE, b"right") > 0


def test_no_key_at_all_shuts_nothing_for_keys(keys: WrongKeys) -> None:
    for _ in range(A_MINUTE):
        assert keys.wait(HERE, b"") == 0
        keys.wrong(HERE, b"")
    assert keys.wait(HERE, b"") > 0
    assert keys.wait(HERE, b"right") == 0


def test_only_so_many_are_remembered(keys: WrongKeys) -> None:
    for n in range(4):
        keys.right(HERE, str(n).encode())
    guess(keys, 1000)
    assert [keys.wait(HERE, str(n).encode()) > 0 for n in range(4)] == [True, False, False, False]


def test_asking_takes_nothing(keys: WrongKeys) -> None:
    for _ in range(10 * A_MINUTE):
        assert keys.wait(HERE, b"right") == 0


def test_no_limit_is_none(clock: Clock) -> None:
    assert guess(WrongKeys(RateLimiter(clock), 0), 1000) == 1000

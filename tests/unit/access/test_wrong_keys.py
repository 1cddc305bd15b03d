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


def hammer(keys: WrongKeys, given: bytes, times: int) -> int:
    """How many of so many tries with one wrong key are looked at."""
    looked_at = 0
    for _ in range(times):
        if keys.wait(HERE, given) == 0:
            keys.wrong(HERE, given)
            looked_at += 1
    return looked_at


def test_a_key_that_opens_no_more_is_like_any_wrong_one(keys: WrongKeys) -> None:
    keys.right(HERE, b"right")
    assert hammer(keys, b"right", 1000) == 1 + A_MINUTE
    assert keys.wait(HERE, b"right") > 0


def test_an_old_key_sent_over_and_over_shuts_itself_out_alone(clock: Clock) -> None:
    keys = WrongKeys(RateLimiter(clock), A_MINUTE)  # as after a restart: no key has opened yet
    for _ in range(600):  # a minute of 10 requests a second
        clock.ns += 10**8
        hammer(keys, b"old", 1)
        assert keys.wait(HERE, b"right") == 0
    assert keys.wait(HERE, b"old") > 0
    assert guess(keys, 1000) == A_MINUTE


def test_repeating_guesses_between_new_ones_gives_no_more_of_them(keys: WrongKeys) -> None:
    looked_at = 0
    for n in range(1000):
        hammer(keys, b"the same", 2)
        given = f"guess {n}".encode()
        if keys.wait(HERE, given) == 0:
            keys.wrong(HERE, given)
            looked_at += 1
    assert looked_at == A_MINUTE - 1


def test_an_old_key_that_becomes_right_is_let_in(keys: WrongKeys, clock: Clock) -> None:
    hammer(keys, b"old", 1000)
    clock.ns += keys.wait(HERE, b"old") * 10**9
    assert keys.wait(HERE, b"old") == 0
    keys.right(HERE, b"old")
    guess(keys, 1000)
    assert keys.wait(HERE, b"old") == 0


def test_only_so_many_wrong_keys_are_remembered(clock: Clock) -> None:
    """One that is forgotten counts as new."""
    keys = WrongKeys(RateLimiter(clock), A_MINUTE, max_known=3)
    for n in range(A_MINUTE - 1):
        keys.wrong(HERE, str(n).encode())
    keys.wrong(HERE, b"0")
    assert keys.wait(HERE, b"another") > 0
    assert keys.wait(HERE, b"0") == 0
    assert keys.wait(HERE, b"1") > 0


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

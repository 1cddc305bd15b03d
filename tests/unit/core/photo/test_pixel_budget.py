from __future__ import annotations

import threading

from app.core.photo.pixel_budget import PixelBudget

TIMEOUT = 20


def test_a_share_is_room_that_others_wait_for() -> None:
    budget, taken = PixelBudget(100), threading.Event()
    share = budget.take(60)

    def take() -> None:
        budget.take(50)
        taken.set()

    waiting = threading.Thread(target=take)
    waiting.start()
    assert not taken.wait(0.1)
    share.give_back()
    assert taken.wait(TIMEOUT)
    waiting.join(TIMEOUT)
    assert budget._free == 50


def test_a_share_given_back_twice_counts_once() -> None:
    budget = PixelBudget(100)
    kept, share = budget.take(30), budget.take(60)
    for _ in range(2):
        share.give_back()
    assert (budget._free, share.pixels, kept.pixels) == (70, 0, 30)


def test_more_than_there_is_takes_all_and_gives_back_all() -> None:
    budget = PixelBudget(100)
    share = budget.take(1000)
    assert (budget._free, share.pixels) == (0, 100)
    share.give_back()
    assert budget._free == 100

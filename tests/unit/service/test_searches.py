from __future__ import annotations

import threading

from app.service.searches import Searches

TIMEOUT = 20


def assert_set(event: threading.Event) -> None:
    assert event.wait(TIMEOUT)


def test_all_that_was_handed_on_is_done_before_it_closes() -> None:
    searches, done = Searches(2, room=4), []
    for n in range(50):
        searches.hand(lambda n=n: done.append(n))  # type: ignore[misc]
    searches.close()
    assert sorted(done) == list(range(50))


def test_its_threads_work_at_once_and_say_how_many() -> None:
    searches, together = Searches(2, room=4), threading.Barrier(2)
    seen: list[int] = []

    def meet() -> None:
        together.wait(TIMEOUT)
        seen.append(searches.at_once)
        together.wait(TIMEOUT)

    assert searches.at_once == 1
    searches.hand(meet)
    searches.hand(meet)
    searches.close()
    assert seen == [2, 2]


def test_whoever_hands_on_more_waits_until_there_is_room() -> None:
    searches, go_on = Searches(1, room=1), threading.Event()
    searches.hand(lambda: assert_set(go_on))
    searches.wait_for_room()  # for one
    searches.hand(lambda: None)
    entered = threading.Event()

    def enter() -> None:
        searches.wait_for_room()
        entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not entered.wait(0.05)
    go_on.set()
    assert entered.wait(TIMEOUT)
    waiting.join(TIMEOUT)
    searches.close()


def test_work_that_raises_costs_no_thread_and_no_room() -> None:
    searches, done = Searches(1, room=0), threading.Event()

    def fail() -> None:
        raise ValueError("ours")

    searches.hand(fail)
    searches.hand(done.set)
    assert done.wait(TIMEOUT)
    searches.wait_for_room()
    searches.close()

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.records import retention
from app.records.deleting import Deleted
from app.records.opening import Records, open_records
from app.records.reading import page, thumbnail_of
from app.records.retention import Limits, retain
from app.records.reviews import append
from app.records.verdicts import Review

from .made import START, draft, store

NOW = START + timedelta(days=100)


@dataclass(frozen=True)
class Kept:
    """A photo that a test keeps: so many days old, so many bytes."""

    days: int
    size: int
    reviewed: bool


def fill(records: Records, photos: Sequence[Kept]) -> dict[str, Kept]:
    """By sha256. Photos of zeros and their number: nobody looks into them."""
    drafts = [
        draft(
            time=NOW - timedelta(days=one.days, seconds=number),
            photo=number.to_bytes(2) + bytes(one.size - 2),
            width=None,
        )
        for number, one in enumerate(photos)
    ]
    store(records, drafts)
    for one, made in zip(photos, drafts, strict=True):
        if one.reviewed:
            append(records, Review(verdict_id=made.id, who="anna", decision="good"))
    by_id = {made.id: one for one, made in zip(photos, drafts, strict=True)}
    return {found.sha256: by_id[found.id] for found in page(records, size=1000).verdicts}


def left(records: Records) -> set[str]:
    """What is kept, of which the database and the folder must say the same."""
    kept = {one.sha256 for one in page(records, size=1000).verdicts if one.photo_kept}
    assert kept == set(records.photos.all())
    return kept


PHOTOS = st.lists(
    st.builds(Kept, st.integers(0, 50), st.integers(2, 300), st.booleans()), max_size=12
)
DAYS = st.none() | st.integers(0, 50).map(lambda days: days + 0.5)


@settings(max_examples=25)
@given(
    photos=PHOTOS, days=DAYS, reviewed_days=DAYS, limit=st.none() | st.integers(0, 1500),
    chunk=st.sampled_from([1, 3, 500]),
)  # fmt: skip
def test_what_is_left_is_within_the_limits_and_nothing_goes_before_its_turn(
    tmp_path_factory: pytest.TempPathFactory,
    photos: list[Kept],
    days: float | None,
    reviewed_days: float | None,
    limit: int | None,
    chunk: int,
) -> None:
    limits = Limits(photo_days=days, reviewed_days=reviewed_days, photo_bytes=limit)
    with open_records(tmp_path_factory.mktemp("retention")) as records:
        known = fill(records, photos)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(retention, "CHUNK", chunk)
            deleted = retain(records, limits, NOW)
        kept = left(records)
        assert retain(records, limits, NOW) == Deleted()
        assert len(page(records, size=1000).verdicts) == len(photos)  # verdicts outlive photos
    gone = [known[sha256] for sha256 in known.keys() - kept]
    assert deleted.photos == len(gone)
    assert deleted.photo_bytes == sum(one.size for one in gone)

    def is_old(one: Kept) -> bool:
        most = reviewed_days if one.reviewed else days
        return most is not None and one.days > most

    stays = [known[sha256] for sha256 in kept]
    assert not any(is_old(one) for one in stays)
    young = [one for one in gone if not is_old(one)]
    total = sum(one.size for one in stays)
    if limit is None:
        assert young == []
    else:
        assert total <= limit
    # By bytes, the last to go was still one too many, and all that stay come after it.
    for one in young:
        assert all((one.reviewed, -one.days) <= (other.reviewed, -other.days) for other in stays)
    if young:
        last = max(young, key=lambda one: (one.reviewed, -one.days))
        same = [one for one in young if (one.reviewed, one.days) == (last.reviewed, last.days)]
        assert limit is not None
        assert total + max(one.size for one in same) > limit


def test_reviewed_photos_go_last(records: Records) -> None:
    photos = [Kept(9, 100, True), Kept(1, 100, False), Kept(5, 100, False), Kept(3, 100, True)]
    known = fill(records, photos)
    for limit, wanted in ((300, [0, 1, 3]), (200, [0, 3]), (199, [3]), (0, [])):
        retain(records, Limits(photo_bytes=limit), NOW)
        assert {known[sha256] for sha256 in left(records)} == {photos[n] for n in wanted}


def test_thumbnails_outlive_photos(records: Records) -> None:
    store(records, [draft()])
    (one,) = page(records).verdicts
    assert retain(records, Limits(photo_bytes=0)).photos == 1
    assert left(records) == set()
    assert thumbnail_of(records, one.sha256)


def test_a_photo_that_is_seen_again_is_young(records: Records) -> None:
    old, young = NOW - timedelta(days=9), NOW - timedelta(days=1)
    store(records, [draft(time=young)])
    store(records, [draft(time=old)])
    assert retain(records, Limits(photo_days=5), NOW).photos == 0
    assert retain(records, Limits(photo_days=0.5), NOW).photos == 1


def test_verdicts_go_by_days_with_all_that_hangs_on_them(records: Records) -> None:
    fill(records, [Kept(days, 10, False) for days in (1, 2, 40, 50)])
    deleted = retain(records, Limits(verdict_days=30), NOW)
    assert (deleted.verdicts, deleted.photos) == (2, 2)
    assert len(left(records)) == len(page(records).verdicts) == 2

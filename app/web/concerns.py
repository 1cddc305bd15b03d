"""What is wrong with the service, each in a sentence, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .health import REFUSED_S, CameraHealth, CategoryHealth, Health
from .rendering import percent, size

# Shops close at night and on Sundays.
_SILENT = timedelta(hours=36)
_CROWDED = 0.8
_LOSSES = {
    "queue_full": "more came than could be written",
    "disk_full": "the disk was full",
    "database": "the database could not be written",
    "folder": "the photos' folder could not be written",
    "refused": "the database refused them",
    "closed": "the service was stopping",
    "not_open": "the records could not be opened",
}


@dataclass(frozen=True)
class Concern:
    """One thing that somebody should look at.

    Attributes:
        what: what happened. todo: what to do. is_grave: whether photos or verdicts are lost by it.
        category: whose page says more. reloads: whether the banks are to be loaded again then.
    """

    what: str
    todo: str
    is_grave: bool = False
    category: str | None = None
    reloads: bool = False


def concerns(found: Health) -> list[Concern]:
    """All that is wrong, the gravest first."""
    said = [
        *_of_service(found),
        *_of_records(found),
        *_of_disks(found),
        *(one for category in found.categories for one in _of_category(category)),
        *_of_cameras(found),
    ]
    return sorted(said, key=lambda one: not one.is_grave)


def overall(found: Health, said: list[Concern]) -> str:
    """The state in one sentence."""
    if found.ready.status != "ready":
        return f"No photo can be scored: {found.ready.reason}."
    kept = {"on": "scored and recorded", "off": "scored; none are recorded, by the settings"}
    photos = f"Photos are {kept.get(found.ready.records.status, 'scored, but not recorded')}"
    if not said:
        return f"{photos}. Nothing needs a look."
    return f"{photos}. {_number(len(said), 'thing needs', 'things need')} a look."


def losses(lost: Mapping[str, int]) -> str:
    """Why so many were lost."""
    return ", ".join(f"{number:,} since {_LOSSES.get(why, why)}" for why, number in lost.items())


def _of_service(found: Health) -> Iterator[Concern]:
    queue = found.queue
    if found.ready.status != "ready" and found.ready.reason != "stopping":
        yield Concern(
            f"No photo can be scored: {found.ready.reason}.",
            "Build a bank with goodsguard build, or mend what the categories below name. If the "
            "network fails, start the service again; if that does not help, look at its log.",
            True,
        )
    if queue.refused:
        yield Concern(
            f"{_number(queue.refused, 'request was', 'requests were')} refused in the last "
            f"{REFUSED_S / 60:.0f} minutes, since the queue was full.",
            "Have photos sent more slowly, or again after the time that the answer names; give the "
            "service more cores, or a GPU, or build with a faster preset.",
            True,
        )
    elif queue.depth >= _CROWDED * queue.size:
        yield Concern(
            f"{queue.depth} photos are in work or waiting, of {queue.size} that may.",
            "If it stays so, photos come faster than they are scored: send fewer, or give the "
            "service more cores.",
        )


def _of_records(found: Health) -> Iterator[Concern]:
    records = found.ready.records
    if records.status == "unavailable":
        yield Concern(
            f"Verdicts are not recorded: {records.reason}.",
            "Look at the service's log for the reason. Usually the disk is full, its folder cannot "
            "be written, or the database does not run. It is tried again by itself.",
            True,
        )
    if lost := sum(records.lost.values()):
        yield Concern(
            f"{_number(lost, 'verdict was', 'verdicts were')} lost since the start: "
            f"{losses(records.lost)}.",
            "They cannot be had back. Mend what the reason names; the count begins anew when the "
            "service starts.",
            records.status == "unavailable",
        )
    if lost := sum(records.photos_lost.values()):
        yield Concern(
            f"{_number(lost, 'photo', 'photos')} could not be kept: {losses(records.photos_lost)}.",
            "Make room on the records' disk, or keep fewer photos (GOODSGUARD_RECORDS_PHOTOS, "
            "GOODSGUARD_RECORDS_PHOTO_BYTES).",
        )


def _of_disks(found: Health) -> Iterator[Concern]:
    for disk in found.disks:
        if not disk.total:
            yield Concern(
                f"The disk of {disk.what.lower()} does not answer.",
                "See whether it is mounted, and whether the service may read it.",
                True,
            )
        elif disk.is_low:
            share = percent(disk.free / disk.total)
            yield Concern(
                f"Only {size(disk.free)} ({share}) of the disk of {disk.what.lower()} are free.",
                "Make room, or keep fewer photos for less long (GOODSGUARD_RECORDS_PHOTO_BYTES, "
                "GOODSGUARD_RECORDS_PHOTO_DAYS).",
            )


def _of_category(one: CategoryHealth) -> Iterator[Concern]:
    if one.reason is not None:
        yield Concern(
            f"{one.name} cannot be scored: {one.reason}.",
            "Put back a whole copy of its bank, then have the banks loaded again; or go back to "
            "another version on its page, or build a new one with goodsguard build.",
            True,
            one.name,
            True,
        )
    elif one.failure is not None:
        yield Concern(
            f"The newest bank of {one.name} was not taken up: {one.failure}. "
            f"{one.bank_version} serves on.",
            "Build it again, which is taken up by itself; or copy it again as a whole, then have "
            "the banks loaded again.",
            category=one.name,
            reloads=True,
        )
    if one.drift is not None and one.drift.moved == "up":
        yield Concern(
            f"{one.name}: {drift_words(one)}",
            "Good photos will be called anomalous more often than promised. Look at the newest in "
            "History: if they show what they should, see whether light, camera or packaging have "
            "changed, and build a bank with good photos of today.",
            category=one.name,
        )
    elif one.drift is not None and one.drift.moved == "down":
        yield Concern(
            f"{one.name}: {drift_words(one)}",
            "Damage may be missed. See whether the photos are sharp and the lens clean, and "
            "whether the camera still sees the goods; then set a new threshold, or build a bank "
            "with good photos of today.",
            category=one.name,
        )


def drift_words(one: CategoryHealth) -> str:
    """How a category's photos score beside those of its calibration."""
    if one.photos is None:
        return "The records cannot be asked how photos score."
    if one.drift is None:
        return f"{_number(one.photos, 'photo', 'photos')} in 7 days: too few to compare, 50 needed."
    found, of = one.drift, f"{one.drift.number:,} photos"
    if found.moved == "not":
        return f"The scores of {of} lie as at calibration."
    if found.moved == "up":
        return (
            f"The scores have moved up: {percent(found.above_high)} of {of} score above what "
            "10\N{NO-BREAK SPACE}% of good photos did."
        )
    return (
        f"The scores have moved down: only {percent(found.above_median)} of {of} score above what "
        "half of the good photos did."
    )


def _of_cameras(found: Health) -> Iterator[Concern]:
    if found.cameras_fault is not None:
        yield Concern(
            f"The cameras file is not taken up: {found.cameras_fault}.",
            "Mend the file; it is read again by itself. Until then the cameras are as before.",
        )
    for one in found.cameras or ():
        yield from _of_camera(one)


def _of_camera(one: CameraHealth) -> Iterator[Concern]:
    if one.fault is not None:
        yield Concern(
            f"The camera {one.name} is not set up rightly: {one.fault}.",
            "Mend its table in the cameras file; it is read again by itself.",
            True,
        )
    elif one.is_listed and one.name is not None and is_silent(one):
        yield Concern(
            f"The camera {one.name} has sent nothing for {_ago(one.seen)}.",
            "See whether it is on and its program runs. If it is gone for good, take it out of the "
            "cameras file.",
        )


def is_silent(one: CameraHealth) -> bool:
    """Whether it has been quiet for longer than a shop is closed."""
    return one.seen is not None and datetime.now(UTC) - one.seen > _SILENT


def _ago(seen: datetime | None) -> str:
    hours = (datetime.now(UTC) - seen).total_seconds() / 3600 if seen else 0
    return f"{hours / 24:.0f} days" if hours >= 72 else f"{hours:.0f} hours"


def _number(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"

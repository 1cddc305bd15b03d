"""How each camera of the bridge is: written by the bridge, read by the service."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, select

from .batch import inserting
from .opening import Records
from .schema import CameraStateRow
from .transactions import reading, writing


@dataclass(frozen=True, kw_only=True)
class CameraState:
    """How a camera's source is.

    Attributes:
        state: waiting, running, stalled or failed. since: when it became so.
        seen_at: when the bridge last said so; long ago: the bridge does not run.
        reason: what is wrong, for people.
    """

    camera: str
    state: str
    since: datetime
    seen_at: datetime
    last_frame_at: datetime | None = None
    last_judged_at: datetime | None = None
    reason: str | None = None


def put_camera_states(
    records: Records, states: Sequence[CameraState], cameras: Collection[str]
) -> None:
    """Store these, and forget the cameras that are none of `cameras`.

    Raises:
        RecordsUnavailable: the database cannot be written.
    """
    with writing(records.engine) as connection:
        connection.execute(delete(CameraStateRow).where(CameraStateRow.camera.not_in(cameras)))
        for state in states:
            values = asdict(state)
            adding = inserting(connection, CameraStateRow).values(values)
            changed = {name: value for name, value in values.items() if name != "camera"}
            connection.execute(
                adding.on_conflict_do_update(index_elements=["camera"], set_=changed)
            )


def camera_states(records: Records) -> list[CameraState]:
    """Of all cameras, by name.

    Raises:
        RecordsUnavailable: the database cannot be read.
    """
    query = select(CameraStateRow.__table__).order_by(CameraStateRow.camera)
    with reading(records.engine) as connection:
        return [CameraState(**row._mapping) for row in connection.execute(query)]

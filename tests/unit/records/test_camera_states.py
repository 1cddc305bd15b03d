from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from app.records.camera_states import CameraState, camera_states, put_camera_states
from app.records.opening import Records

from .made import START

SHELF = CameraState(camera="shelf", state="running", since=START, seen_at=START)
TILL = CameraState(
    camera="till", state="failed", since=START, seen_at=START, reason="no route",
    last_frame_at=START - timedelta(minutes=1), last_judged_at=START - timedelta(minutes=2),
)  # fmt: skip


def test_states_are_replaced_and_forgotten(records: Records) -> None:
    put_camera_states(records, [TILL, SHELF], ["shelf", "till"])
    assert camera_states(records) == [SHELF, TILL]
    later = replace(SHELF, state="stalled", seen_at=START + timedelta(seconds=5))
    put_camera_states(records, [later], ["shelf", "till"])
    assert camera_states(records) == [later, TILL]
    put_camera_states(records, [], ["shelf"])
    assert camera_states(records) == [later]

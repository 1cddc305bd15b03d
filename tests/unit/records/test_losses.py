from __future__ import annotations

from structlog.testing import capture_logs

from app.records.losses import Losses


def test_an_episode_is_told_at_its_start_and_its_end() -> None:
    losses = Losses("verdicts")
    with capture_logs() as logs:
        for _ in range(5):
            losses.lost("disk_full", "the disk is full", 2)
        assert losses.trouble == "the disk is full"
        since = losses.since
        losses.stuck("database", "it is gone")
        assert (losses.trouble, losses.since) == ("it is gone", since)
        losses.recovered()
        losses.recovered()
    assert losses.trouble is None
    assert losses.since is None
    assert losses.counts() == {"disk_full": 10}
    assert [(log["log_level"], log["event"]) for log in logs] == [
        ("error", "verdicts cannot be recorded: the disk is full"),
        ("error", "verdicts cannot be recorded: it is gone"),
        ("warning", "verdicts are recorded again"),
    ]
    assert logs[-1]["lost"] == {"disk_full": 10}


def test_one_that_comes_and_goes_does_not_fill_the_log() -> None:
    at = 0.0
    losses = Losses("photos", clock=lambda: at)
    with capture_logs() as logs:
        for second in range(121):
            at = float(second)
            losses.lost("disk_full", "the disk is full")
            assert losses.trouble
            losses.recovered()
            assert losses.trouble is None
    assert [log["log_level"] for log in logs] == ["error", "warning"] * 3
    assert [log["lost"] for log in logs if "lost" in log] == [
        {"disk_full": 1}, {"disk_full": 60}, {"disk_full": 60}
    ]  # fmt: skip
    assert losses.counts() == {"disk_full": 121}

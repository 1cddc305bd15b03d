from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from app.records import opening
from app.records.errors import DriverMissing, NewerDatabase, RecordsUnavailable, WrongDatabase
from app.records.events import Event
from app.records.opening import Records, open_records
from app.records.outbox import alarm_states, oldest, put
from app.records.reading import page
from app.records.review_queue import next_unreviewed
from app.records.schema import Base
from app.records.transactions import writing
from tests.support import ROOT

from . import postgres
from .made import draft, store


def test_the_migrations_make_the_tables_of_the_schema(records: Records) -> None:
    with records.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_indexes_are_the_same_too(records: Records) -> None:
    """Their columns and conditions, which the comparison above does not look at all of."""
    inspector = sa.inspect(records.engine)
    condition = f"{records.engine.dialect.name}_where"
    for table in Base.metadata.sorted_tables:
        found = {
            (str(index["name"]), tuple(index["column_names"]), bool(index.get("dialect_options")
             and condition in index["dialect_options"]))
            for index in inspector.get_indexes(table.name) if not index["unique"]
        }  # fmt: skip
        wanted = {
            (str(index.name), tuple(c.name for c in index.columns),
             index.dialect_options[records.engine.dialect.name]["where"] is not None)
            for index in table.indexes
        }  # fmt: skip
        assert found == wanted, table.name


def upgrade_to(url: str, revision: str) -> None:
    """An empty database as an older program left it."""
    from alembic import command

    config = Config()
    config.set_main_option("script_location", str(opening._MIGRATIONS))
    engine = opening._engine(opening._address(url))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def test_a_filled_older_database_is_brought_up_to_date(url: str, tmp_path: Path) -> None:
    upgrade_to(url, "0001")
    engine = opening._engine(opening._address(url))
    old = sa.table(
        "verdicts",
        *(sa.column(name) for name in (
            "number", "id", "time", "category", "verdict", "bank_version", "engine", "score",
            "threshold", "p_value", "alpha", "sha256", "photo_bytes", "regions", "timings_ms")),
    )  # fmt: skip
    cases = [
        ("normal", 1.0, 0.5, 0), ("anomalous", 3.0, 0.001, 2), ("normal", 1.95, 0.5, 1),
        ("normal", 1.0, 0.02, 1), ("unusable", None, None, 0),
    ]  # fmt: skip
    with writing(engine) as connection:
        for number, (verdict, score, p_value, _) in enumerate(cases, 1):
            values = {
                "number": number, "id": f"{number:032x}", "time": number, "category": "can",
                "verdict": verdict, "bank_version": "v", "engine": "e", "score": score,
                "threshold": 2.0, "p_value": p_value, "alpha": 0.01, "sha256": bytes(32),
                "photo_bytes": 1, "regions": "[]", "timings_ms": "{}",
            }  # fmt: skip
            connection.execute(old.insert(), values)
    engine.dispose()
    with open_records(tmp_path / "records", url) as records:
        with records.engine.connect() as connection:
            found = connection.execute(sa.text("SELECT urgency FROM verdicts ORDER BY number"))
            assert [row.urgency for row in found] == [urgency for *_, urgency in cases]
        assert len(page(records).verdicts) == len(cases)
        first = next_unreviewed(records, "anna")
        assert first is not None
        assert first.verdict == "anomalous"


def test_a_database_from_before_places_keeps_all_that_it_held(url: str, tmp_path: Path) -> None:
    upgrade_to(url, "0002")
    engine = opening._engine(opening._address(url))
    with writing(engine) as connection:
        connection.execute(sa.text(
            "INSERT INTO verdicts (number, id, time, category, camera, verdict, decision, urgency,"
            " bank_version, engine, score, sha256, photo_bytes, regions, timings_ms) VALUES"
            " (7, :id, 5, 'can', 'shelf', 'anomalous', 'defective', 2, 'v', 'e', 3.0, :sha256, 1,"
            " '[]', '{}')"
        ), {"id": f"{7:032x}", "sha256": bytes(32)})  # fmt: skip
        connection.execute(sa.text(
            "INSERT INTO reviews (id, verdict_number, who, at, decision, boxes)"
            " VALUES (:id, 7, 'anna', 6, 'defective', '[]')"
        ), {"id": f"{8:032x}"})  # fmt: skip
    engine.dispose()
    with open_records(tmp_path / "records", url) as records:
        store(records, [draft(place="left")])
        new, old = page(records).verdicts
        assert (new.place, old.place, old.camera) == ("left", None, "shelf")
        assert old.review is not None
        assert (old.review.who, old.decision) == ("anna", "defective")


def test_a_database_from_before_the_outbox_keeps_all_that_it_held(url: str, tmp_path: Path) -> None:
    upgrade_to(url, "0003")
    engine = opening._engine(opening._address(url))
    with writing(engine) as connection:
        for number in (1, 2):
            connection.execute(sa.text(
                "INSERT INTO verdicts (number, id, time, category, camera, place, verdict, urgency,"
                " bank_version, engine, score, sha256, photo_bytes, regions, timings_ms) VALUES"
                " (:number, :id, :number, 'can', 'shelf', 'left', 'anomalous', 2, 'v', 'e', 3.0,"
                " :sha256, 1, '[]', '{}')"
            ), {"number": number, "id": f"{number:032x}", "sha256": bytes(32)})  # fmt: skip
    engine.dispose()
    with open_records(tmp_path / "records", url) as records:
        found = page(records).verdicts
        assert [(one.place, one.score, one.verdict) for one in found] == [
            ("left", 3.0, "anomalous")
        ] * 2
        assert alarm_states(records) == {}
        event = Event(kind="camera.lost", camera="shelf")
        put(records, [event], lambda _event: ["phone"])
        waiting = oldest(records, "phone")
        assert waiting is not None
        assert waiting.event == event


def test_a_step_that_fails_leaves_the_older_database_as_it_was(url: str, tmp_path: Path) -> None:
    upgrade_to(url, "0001")
    engine = opening._engine(opening._address(url))
    with writing(engine) as connection:
        connection.execute(sa.text("CREATE TABLE leases (somebody_else_s integer)"))
    with pytest.raises(RecordsUnavailable, match=r"leases.* already exists"):
        open_records(tmp_path / "records", url)
    assert "urgency" not in {
        column["name"] for column in sa.inspect(engine).get_columns("verdicts")
    }
    with writing(engine) as connection:
        assert MigrationContext.configure(connection).get_current_revision() == "0001"
        connection.execute(sa.text("DROP TABLE leases"))
    engine.dispose()
    with open_records(tmp_path / "records", url) as records:
        store(records, [draft()])
        assert next_unreviewed(records, "anna")


def test_opening_once_more_changes_nothing(url: str, tmp_path: Path) -> None:
    for _ in range(2):
        with open_records(tmp_path / "records", url) as records:
            store(records, [draft()])
    with open_records(tmp_path / "records", url) as records:
        assert len(page(records).verdicts) == 2


def test_several_may_open_an_empty_database_at_once(url: str, tmp_path: Path) -> None:
    start, faults = threading.Barrier(6), []

    def open_and_close() -> None:
        start.wait()
        try:
            open_records(tmp_path / "records", url).close()
        except BaseException as exc:
            faults.append(exc)

    threads = [threading.Thread(target=open_and_close) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_several_processes_too(url: str, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from app.records.opening import open_records\n"
        "sys.stdin.readline(); open_records(Path(sys.argv[1]), sys.argv[2]).close()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, tmp_path / "records", url],
            cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[1] for process in processes] == [""] * 4


def test_sqlite_is_the_default_with_readers_beside_the_writer(tmp_path: Path) -> None:
    with open_records(tmp_path / "records") as records:
        assert (tmp_path / "records/goodsguard.db").is_file()
        with records.engine.connect() as connection:
            pragma = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
    assert pragma == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000
    }  # fmt: skip


def test_a_newer_database_is_refused(url: str, tmp_path: Path) -> None:
    with open_records(tmp_path / "records", url) as records, writing(records.engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabase, match=r"newer GoodsGuard \(.*9999.*update this one") as found:
        open_records(tmp_path / "records", url)
    assert postgres.PASSWORD not in str(found.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("not a url", "cannot be read: it must be sqlite:///PATH or postgresql"),
        ("postgresql+psycopg://user:geheim@host:port/x", "cannot be read"),
        ("mysql://user:geheim@host/x", "'mysql' are not used"),
        ("postgresql+asyncpg://user:geheim@host/x", "asyncpg' are not used"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_wrong_url_is_told_without_its_password(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(WrongDatabase, match=said) as found:
        open_records(tmp_path, url)
    assert "geheim" not in str(found.value)
    assert found.value.__cause__ is None


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "goodsguard.db").write_bytes(b"shopping list\n" * 1000)
    with pytest.raises(WrongDatabase, match="is no database, or a damaged one"):
        open_records(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordsUnavailable, match="cannot be made: Not a directory"):
        open_records(tmp_path / "file/records")


def test_a_database_that_is_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "goodsguard.db").mkdir()
    with pytest.raises(RecordsUnavailable, match=r"cannot be written .*give the service's user"):
        open_records(tmp_path)


def test_a_disk_that_is_only_read_is_told(small_disk: Path) -> None:
    open_records(small_disk).close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(RecordsUnavailable, match=r"cannot be written .*give the service's user"):
        open_records(small_disk)


def test_a_wrong_password_is_told_but_not_shown(postgres_url: str, tmp_path: Path) -> None:
    wrong = postgres_url.replace("s3cret", "geheim")
    with pytest.raises(RecordsUnavailable, match="password authentication failed") as found:
        open_records(tmp_path, wrong)
    for hidden in ("geheim", "word"):
        assert hidden not in str(found.value).replace("password", "")


def test_a_password_among_the_options_is_not_shown(postgres_url: str, tmp_path: Path) -> None:
    start, _, rest = postgres_url.rpartition("@")
    url = f"{start.rpartition(':')[0]}@{rest}?password=geheim&application_name=goodsguard"
    with pytest.raises(RecordsUnavailable, match="password authentication failed") as found:
        open_records(tmp_path, url)
    assert "geheim" not in str(found.value)


def test_a_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(RecordsUnavailable, match=r"cannot be used: .*[Cc]onnection") as found:
        open_records(tmp_path, "postgresql://user:geheim@127.0.0.1:1/x")
    assert "geheim" not in str(found.value)
    assert found.value.public == "the records cannot be used now; the service's log says why"


def test_a_missing_driver_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DriverMissing, match=r"pip install 'goodsguard\[postgres\]'"):
        open_records(tmp_path, "postgresql+psycopg://user:geheim@host/x")

"""Verdicts, reviews, thumbnails and photos."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "verdicts",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("id", sa.Uuid, nullable=False, unique=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("camera", sa.Text),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("decision", sa.Text),
        sa.Column("bank_version", sa.Text, nullable=False),
        sa.Column("engine", sa.Text, nullable=False),
        sa.Column("score", sa.Double),
        sa.Column("threshold", sa.Double),
        sa.Column("p_value", sa.Double),
        sa.Column("alpha", sa.Double),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("photo_bytes", sa.Integer, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("key_name", sa.Text),
        sa.Column("regions", sa.JSON, nullable=False),
        sa.Column("timings_ms", sa.JSON, nullable=False),
    )
    filtered = ("category", "camera", "verdict", "decision")
    for first in ("time", *filtered):
        start = ["time", "number"] if first == "time" else [first, "time", "number"]
        rest = [column for column in filtered if column != first]
        more = ["bank_version"] if first == "category" else []
        condition = {"verdict": "verdict != 'normal'", "decision": "decision IS NOT NULL"}
        some = sa.text(condition[first]) if first in condition else None
        op.create_index(
            f"verdicts_by_{first}",
            "verdicts",
            [*start, *rest, "score", *more],
            sqlite_where=some,
            postgresql_where=some,
        )
    op.create_index(
        "verdicts_reviewed",
        "verdicts",
        ["time", "number", *filtered, "score"],
        sqlite_where=sa.text("decision IS NOT NULL"),
        postgresql_where=sa.text("decision IS NOT NULL"),
    )
    op.create_index("verdicts_by_score", "verdicts", ["score"])
    op.create_index("verdicts_by_photo", "verdicts", ["sha256"])
    op.create_table(
        "reviews",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("id", sa.Uuid, nullable=False, unique=True),
        sa.Column(
            "verdict_number",
            _NUMBER,
            sa.ForeignKey("verdicts.number", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("defect", sa.Text),
        sa.Column("defect_key", sa.Text, index=True),
        sa.Column("boxes", sa.JSON, nullable=False),
        sa.Column("note", sa.Text),
    )
    op.create_table(
        "thumbnails",
        sa.Column("sha256", sa.LargeBinary, primary_key=True),
        sa.Column("webp", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "photos",
        sa.Column("sha256", sa.LargeBinary, primary_key=True),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("reviewed", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("photos_by_turn", "photos", ["reviewed", "seen_at", "bytes"])

"""Events, who is to be told of them, and how the cameras are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("id", sa.Uuid, nullable=False, unique=True),
        sa.Column("time", sa.BigInteger, nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("camera", sa.Text, nullable=False),
        sa.Column("category", sa.Text),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("overlay", sa.LargeBinary),
    )
    op.create_table(
        "deliveries",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column(
            "event_number",
            _NUMBER,
            sa.ForeignKey("events.number", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("tried_at", sa.BigInteger),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("reason", sa.Text),
        sa.Column("done_at", sa.BigInteger),
    )
    op.create_index(
        "deliveries_waiting",
        "deliveries",
        ["target", "number"],
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "targets",
        sa.Column("name", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.Integer, nullable=False, server_default="0")
            for name in ("delivered", "failed", "dropped")
        ),
        sa.Column("disabled_at", sa.BigInteger),
        sa.Column("address", sa.Text),
        sa.Column("reason", sa.Text),
    )
    op.create_table(
        "alarm_states",
        sa.Column("camera", sa.Text, primary_key=True),
        sa.Column("category", sa.Text, primary_key=True),
        sa.Column("state", sa.JSON, nullable=False),
    )
    op.create_table(
        "camera_states",
        sa.Column("camera", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("last_frame_at", sa.BigInteger),
        sa.Column("last_judged_at", sa.BigInteger),
        sa.Column("reason", sa.Text),
    )

"""What to review next, and who has it before them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column(
        "verdicts", sa.Column("urgency", sa.SmallInteger, nullable=False, server_default="0")
    )
    # As `keeping.urgency` stood when this step was written, with the margins of that time.
    op.execute(
        "UPDATE verdicts SET urgency = CASE WHEN verdict = 'anomalous' THEN 2 ELSE 1 END"
        " WHERE verdict = 'anomalous' OR (verdict = 'normal'"
        " AND (p_value <= 3 * alpha OR score > threshold - 0.05 * abs(threshold)))"
    )
    for name, first in (("queue", []), ("queue_by_category", ["category"])):
        op.create_index(
            f"verdicts_{name}",
            "verdicts",
            [*first, "urgency", "time", "number"],
            sqlite_where=sa.text("decision IS NULL"),
            postgresql_where=sa.text("decision IS NULL"),
        )
    op.create_table(
        "leases",
        sa.Column("sha256", sa.LargeBinary, primary_key=True),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column(
            "verdict_number",
            _NUMBER,
            sa.ForeignKey("verdicts.number", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
    )

"""releases

Revision: 0003
Follows: 0002

Safe under load: every statement gives up after the lock timeout that app/core/migrations.py sets.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FIGURES = ("mean", "p10", "p25", "p50", "p75", "p90")


def _whole(name: str, kind: Any = sa.Integer, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind(), autoincrement=False, nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "releases",
        sa.Column("id", sa.Integer(), nullable=False),
        _whole("series"),
        _whole("number"),
        _whole("scope_id", nullable=True),
        _whole("figures"),
        sa.Column(
            "made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("through", sa.Date(), nullable=False),
        sa.Column("base_currency", sa.Text(), nullable=False),
        sa.Column("source_ids", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("policy", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
    )
    op.create_index("uq_releases_series_number", "releases", ["series", "number"], unique=True)
    op.create_table(
        "release_nodes",
        *(_whole(name) for name in ("release_id", "source_id", "period", "role_id")),
        _whole("level_id", sa.SmallInteger),
        *(_whole(name) for name in ("region_id", "base", "count", "employers")),
        *(_whole(name, nullable=True) for name in FIGURES),
        sa.PrimaryKeyConstraint(
            "release_id",
            "source_id",
            "period",
            "role_id",
            "level_id",
            "region_id",
            name=op.f("pk_release_nodes"),
        ),
    )
    op.create_table(
        "release_versions",
        sa.Column("id", sa.BigInteger(), nullable=False),
        _whole("series"),
        _whole("first"),
        _whole("last", nullable=True),
        _whole("record", sa.BigInteger),
        _whole("employer", sa.BigInteger),
        *(_whole(name) for name in ("source_id", "role_id", "region_id")),
        *(_whole(name) for name in ("year", "quarter", "amount")),
        _whole("level_id", sa.SmallInteger),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release_versions")),
    )
    op.create_index(
        "ix_release_versions_series", "release_versions", ["series"], postgresql_using="brin"
    )
    op.create_table(
        "release_regions",
        *(_whole(name) for name in ("series", "region_id", "parent_id")),
        sa.PrimaryKeyConstraint("series", "region_id", name=op.f("pk_release_regions")),
    )


def downgrade() -> None:
    for table in ("release_regions", "release_versions", "release_nodes", "releases"):
        op.drop_table(table)

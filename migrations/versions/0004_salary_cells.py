"""salary cells

Revision: 0004
Follows: 0003

Safe under load: every statement gives up after the lock timeout that app/core/migrations.py sets.
Roles that have records already are not sound: their cells are built by `payband compact`, or by
the service, and until then their figures come from the records.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CELL_STRINGS = ("amounts", "places", "paid")
ROLLUP_STRINGS = ("heads", "pairs")


def _column(name: str, kind: Any = sa.Integer) -> sa.Column[Any]:
    return sa.Column(name, kind(), autoincrement=False, nullable=False)


def _strings(names: tuple[str, ...]) -> list[sa.Column[Any]]:
    return [
        sa.Column(name, sa.LargeBinary(), nullable=False)
        for name in (*names, *(f"{name}_check" for name in names))
    ]


def upgrade() -> None:
    op.add_column(
        "role_versions",
        sa.Column("cells_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.execute(sa.schema.CreateSequence(sa.Sequence("cell_ids")))
    op.create_table(
        "salary_cells",
        _column("role_id"),
        sa.Column(
            "id",
            sa.BigInteger(),
            server_default=sa.text("nextval('cell_ids')"),
            nullable=False,
        ),
        _column("source_id"),
        _column("entries"),
        _column("month", sa.Date),
        _column("pay_kind", sa.SmallInteger),
        _column("form", sa.SmallInteger),
        _column("yearly", sa.Boolean),
        sa.Column("merged", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        *_strings(CELL_STRINGS),
        sa.PrimaryKeyConstraint("role_id", "id", name=op.f("pk_salary_cells")),
    )
    op.create_index("ix_salary_cells_role_id_month", "salary_cells", ["role_id", "month"])
    op.create_index(
        "ix_salary_cells_unmerged",
        "salary_cells",
        ["role_id"],
        postgresql_where=sa.text("NOT merged"),
    )
    op.create_table(
        "salary_rollups",
        _column("role_id"),
        _column("grain", sa.SmallInteger),
        _column("span", sa.SmallInteger),
        _column("period", sa.Date),
        _column("source_id"),
        _column("pay_kind", sa.SmallInteger),
        _column("form", sa.SmallInteger),
        _column("entries", sa.BigInteger),
        *_strings(ROLLUP_STRINGS),
        sa.PrimaryKeyConstraint(
            "role_id",
            "grain",
            "span",
            "period",
            "source_id",
            "pay_kind",
            name=op.f("pk_salary_rollups"),
        ),
    )
    op.create_table(
        "rollup_state",
        sa.Column("single", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        _column("places_sound", sa.Boolean),
        sa.Column("merges", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("single", name=op.f("ck_rollup_state_one_row")),
        sa.PrimaryKeyConstraint("single", name=op.f("pk_rollup_state")),
    )
    op.execute("INSERT INTO rollup_state (places_sound) VALUES (true)")
    for table, names in (("salary_cells", CELL_STRINGS), ("salary_rollups", ROLLUP_STRINGS)):
        for name in names:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {name} SET STORAGE EXTERNAL")
        # Compaction replaces rows all the time: left to the usual fifth, the table doubles.
        op.execute(
            f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.05,"
            " toast.autovacuum_vacuum_scale_factor = 0.05)"
        )


def downgrade() -> None:
    for table in ("rollup_state", "salary_rollups", "salary_cells"):
        op.drop_table(table)
    op.execute(sa.schema.DropSequence(sa.Sequence("cell_ids")))
    op.drop_column("role_versions", "cells_version")

"""price indices

Revision: 0002
Follows: 0001

Safe under load: every statement gives up after the lock timeout that app/core/migrations.py sets.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "price_indices",
        sa.Column("kind", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("region_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("period_on", sa.Date(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "region_id", "period_on", name=op.f("pk_price_indices")),
    )


def downgrade() -> None:
    op.drop_table("price_indices")

"""What changed: a counter per role, and an epoch for what touches everything."""

from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, Integer, Text, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.base import Big, Table


class RoleVersion(Table):
    """Advanced at the end of every transaction that writes public records of the role.

    `cells_version` is the version that the role's cells hold: where it is another one, they are
    not answered from, and rebuilt. A writer that knows cells advances both by one, so that a writer
    that does not (an older service during a rollout) leaves a difference behind for good.
    """

    __tablename__ = "role_versions"
    role_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[Big]
    cells_version: Mapped[Big] = mapped_column(server_default=text("0"))


class Epoch(Table):
    """One row. `stamp` is random and renewed with each advance of `epoch`; `base_currency` is
    what the stored annual amounts are in; `seeded` tells which seed data was last put in.

    It advances with taxonomies, rates, settings, benchmarks, demo data leaving, and a demand
    source's new reporting date.
    """

    __tablename__ = "epoch"
    single: Mapped[bool] = mapped_column(Boolean, primary_key=True, server_default=text("true"))
    epoch: Mapped[Big]
    base_currency: Mapped[str | None] = mapped_column(Text)
    seeded: Mapped[str | None] = mapped_column(Text)
    stamp: Mapped[UUID] = mapped_column(Uuid, server_default=text("gen_random_uuid()"))
    __table_args__ = (CheckConstraint("single", name="one_row"),)

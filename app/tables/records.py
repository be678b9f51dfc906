"""Salary and demand records, and their identities.

Keys of records contain `role_id`, identities have a key of their own, no trigger and no foreign
key joins them: so both can be distributed (docs/architecture.md). Wide columns come first, which
spares the padding. `import_id` is the import that inserted the row, `changed_import_id` the last
one that changed it.

`role_stated` says that the row named its role itself, `level_stated` that it named its level (a
word that was not understood counts as not named). Where they are false, role and level come from
the title, and `payband titles rematch` may move the record when titles get a better match; hence a
content hash must not depend on a role or level that only the title gave.
"""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Date,
    Double,
    Index,
    Integer,
    Numeric,
    Sequence,
    Text,
    Uuid,
    text,
)
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from app.tables.base import Big, Day, Small, String, Table

RECORD_IDS = Sequence("record_ids", cache=1, metadata=Table.metadata)


class RecordColumns:
    """Columns that salary and demand records share. `key` leads back to the identity."""

    role_id: Mapped[int] = mapped_column(
        Integer, primary_key=True, autoincrement=False, sort_order=-3
    )
    source_id: Mapped[int] = mapped_column(Integer, sort_order=-3)
    record_id: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, sort_order=-2
    )
    employer_key: Mapped[int | None] = mapped_column(BigInteger, sort_order=-2)
    region_id: Mapped[int] = mapped_column(Integer, sort_order=-1)
    title_id: Mapped[int] = mapped_column(Integer, server_default=text("0"), sort_order=-1)
    import_id: Mapped[int] = mapped_column(Integer, sort_order=-1)
    changed_import_id: Mapped[int] = mapped_column(Integer, sort_order=-1)
    observed_on: Mapped[Day] = mapped_column(sort_order=-1)
    observed_until: Mapped[Day] = mapped_column(sort_order=-1)
    level_id: Mapped[Small] = mapped_column(sort_order=1)
    industry_id: Mapped[Small] = mapped_column(sort_order=1)
    precision: Mapped[Small] = mapped_column(sort_order=1)
    role_stated: Mapped[bool] = mapped_column(server_default=text("false"), sort_order=1)
    level_stated: Mapped[bool] = mapped_column(server_default=text("false"), sort_order=1)
    key: Mapped[UUID] = mapped_column(Uuid, sort_order=1)
    external_id: Mapped[str | None] = mapped_column(Text, sort_order=2)

    @declared_attr.directive
    def __table_args__(cls) -> Any:  # noqa: N805 - SQLAlchemy passes the class
        name = cls.__tablename__  # type: ignore[attr-defined]
        return (
            # By source: lists, deletes by source and date, the dates a source reported on.
            Index(f"ix_{name}_source_id_observed_on", "source_id", "observed_on"),
            # Undo: rows of one import lie side by side, so a block range index is enough.
            Index(f"ix_{name}_import_id", "import_id", postgresql_using="brin"),
            Index(f"ix_{name}_changed_import_id", "changed_import_id", postgresql_using="brin"),
        )


class SalaryRecord(RecordColumns, Table):
    """One observation of pay.

    `amount_min`, `amount_max`, `currency`, `pay_period` and `fte` are as they arrived (a point is
    both bounds); `annual_low`, `annual_high` and `annual_amount` (the middle) are whole yearly
    full-time amounts in the base currency, null where undefined. `rate` is what the amount was
    multiplied with, of the day `rate_on`; both null for the base currency and while pending.
    """

    __tablename__ = "salary_records"
    rate: Mapped[float | None] = mapped_column(Double)
    rate_on: Mapped[date | None] = mapped_column(Date)
    last_seen_on: Mapped[Day]
    annual_low: Mapped[int | None] = mapped_column(Integer)
    annual_high: Mapped[int | None] = mapped_column(Integer)
    annual_amount: Mapped[int | None] = mapped_column(Integer)
    employment_type: Mapped[Small]
    work_mode: Mapped[Small]
    pay_kind: Mapped[Small]
    pay_period: Mapped[Small]
    rate_pending: Mapped[bool] = mapped_column(server_default=text("false"))
    amount_min: Mapped[Decimal | None] = mapped_column(Numeric)
    amount_max: Mapped[Decimal | None] = mapped_column(Numeric)
    fte: Mapped[Decimal] = mapped_column(Numeric, server_default=text("1"))
    currency: Mapped[String]
    url: Mapped[str | None] = mapped_column(Text)

    @declared_attr.directive
    def __table_args__(cls) -> Any:  # noqa: N805 - SQLAlchemy passes the class
        return (
            *super().__table_args__,
            Index(
                "ix_salary_records_rate_pending",
                "currency",
                postgresql_where=text("rate_pending"),
            ),
        )


class DemandRecord(RecordColumns, Table):
    """Openings of one group: `measure` new (a flow) or open (a stock at `observed_on`)."""

    __tablename__ = "demand_records"
    openings: Mapped[float] = mapped_column(Double)
    candidates: Mapped[float | None] = mapped_column(Double)
    measure: Mapped[Small]
    skills: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))


class IdentityColumns:
    """Who a record is: written first, so that concurrent corrections meet here.

    `key` is a 128-bit keyed hash of the external id, or of batch, row and repetition.
    `previous_role_id` is where the record stood before the last write that touched it.
    """

    source_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    record_id: Mapped[Big]
    content_hash: Mapped[Big]
    role_id: Mapped[int] = mapped_column(Integer)
    previous_role_id: Mapped[int] = mapped_column(Integer)
    changed_import_id: Mapped[int] = mapped_column(Integer)


class SalaryIdentity(IdentityColumns, Table):
    __tablename__ = "salary_identities"


class DemandIdentity(IdentityColumns, Table):
    __tablename__ = "demand_identities"

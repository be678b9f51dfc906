"""Cells: the public salary records of one combination of dimensions and period, as byte strings.

What the strings hold is in app/cells/strings.py. They grow with the records and are written in the
transaction that writes these, so that they are never stale. Strings are stored as they are
(STORAGE EXTERNAL): packed numbers do not compress, and unpacking costs more than reading.
"""

from datetime import date

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    SmallInteger,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.base import Day, Table

CELL_IDS = Sequence("cell_ids", metadata=Table.metadata)


class SalaryCell(Table):
    """Entries (records, or the withdrawal of records) of one role, source, pay kind and month.

    Rows are written once and never changed, but for `merged`: compaction replaces many by one.
    `yearly`: of records whose date is a year; `month` is then its January. `merged`: the rollups
    hold these entries. The three strings have 8 bytes for each entry, in the same order; a check
    is the MD5 of its string (16 bytes) or its CRC-32 (4 bytes). `form` is the version of all that.
    """

    __tablename__ = "salary_cells"
    role_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(
        BigInteger, CELL_IDS, primary_key=True, server_default=CELL_IDS.next_value()
    )
    source_id: Mapped[int] = mapped_column(Integer)
    entries: Mapped[int] = mapped_column(Integer)
    month: Mapped[Day]
    pay_kind: Mapped[int] = mapped_column(SmallInteger)
    form: Mapped[int] = mapped_column(SmallInteger)
    yearly: Mapped[bool] = mapped_column(Boolean)
    merged: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    amounts: Mapped[bytes] = mapped_column(LargeBinary)
    places: Mapped[bytes] = mapped_column(LargeBinary)
    paid: Mapped[bytes] = mapped_column(LargeBinary)
    amounts_check: Mapped[bytes] = mapped_column(LargeBinary)
    places_check: Mapped[bytes] = mapped_column(LargeBinary)
    paid_check: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = (
        Index("ix_salary_cells_role_id_month", "role_id", "month"),
        Index("ix_salary_cells_unmerged", "role_id", postgresql_where=text("NOT merged")),
    )


class SalaryRollup(Table):
    """The merged cells of one period, added up: what wide questions are answered from.

    `grain` 1: by level, of one role, with whole amounts; `grain` 2: by region and level, of all
    roles (`role_id` is 0), with amounts in logarithmic buckets. `span` 1, 2, 3: the month, quarter
    or year that begins with `period`, without records whose date is only a year; 4: only those.
    """

    __tablename__ = "salary_rollups"
    role_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    grain: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    span: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    period: Mapped[date] = mapped_column(Date, primary_key=True)
    source_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    pay_kind: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    form: Mapped[int] = mapped_column(SmallInteger)
    entries: Mapped[int] = mapped_column(BigInteger)
    heads: Mapped[bytes] = mapped_column(LargeBinary)
    pairs: Mapped[bytes] = mapped_column(LargeBinary)
    heads_check: Mapped[bytes] = mapped_column(LargeBinary)
    pairs_check: Mapped[bytes] = mapped_column(LargeBinary)


class RollupState(Table):
    """One row. `places_sound`: the rollups of places hold all cells that are merged.

    `merges` is advanced by every transaction that changes rollups: those of the same number are the
    same.
    """

    __tablename__ = "rollup_state"
    single: Mapped[bool] = mapped_column(Boolean, primary_key=True, server_default=text("true"))
    places_sound: Mapped[bool] = mapped_column(Boolean)
    merges: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    __table_args__ = (CheckConstraint("single", name="one_row"),)

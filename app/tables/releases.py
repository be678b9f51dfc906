"""Releases: the published figures of confidential records, and what they were made of.

`release_versions` and `release_regions` are confidential like the records themselves: only the
making of a release reads them. What `releases` and `release_nodes` hold is published.
"""

from typing import Any

from sqlalchemy import ARRAY, BigInteger, Index, Integer, SmallInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.base import Big, Day, Moment, String, Table


class Release(Table):
    """A release; never changed after it was made.

    `series` 0 is that of all confidential sources, another number that of the public source with
    this id. `number` counts releases of a series from 1. `scope_id` is the confidential source
    that alone was decided anew, null for all. The population ends with the day `through`.
    `source_ids` are the sources that have figures of their own, `figures` the nodes shown.
    """

    __tablename__ = "releases"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    series: Mapped[int] = mapped_column(Integer)
    number: Mapped[int] = mapped_column(Integer)
    scope_id: Mapped[int | None] = mapped_column(Integer)
    figures: Mapped[int] = mapped_column(Integer)
    made_at: Mapped[Moment]
    through: Mapped[Day]
    base_currency: Mapped[String]
    source_ids: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    policy: Mapped[dict[str, Any]] = mapped_column(JSONB)
    __table_args__ = (Index("uq_releases_series_number", "series", "number", unique=True),)


class ReleaseNode(Table):
    """What a release shows of one node.

    -1 is 'all' in every dimension; `period` 0 is everything up to the end of the release, 2025 a
    year, 20251 a quarter. `base` is the number of the release that the figures were first in.
    Counts are rounded, money is rounded and yearly in the base currency, null where not published.
    """

    __tablename__ = "release_nodes"
    release_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    source_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    period: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    role_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    level_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    region_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    base: Mapped[int] = mapped_column(Integer)
    count: Mapped[int] = mapped_column(Integer)
    employers: Mapped[int] = mapped_column(Integer)
    mean: Mapped[int | None] = mapped_column(Integer)
    p10: Mapped[int | None] = mapped_column(Integer)
    p25: Mapped[int | None] = mapped_column(Integer)
    p50: Mapped[int | None] = mapped_column(Integer)
    p75: Mapped[int | None] = mapped_column(Integer)
    p90: Mapped[int | None] = mapped_column(Integer)


class ReleaseVersion(Table):
    """What a record was in the population of the releases `first` to `last` of a series.

    Null `last`: up to the newest release. `record` is the same for all versions of a record;
    `year` and `quarter` (20251, else 0) hold the record's whole date, closed or not: so that the
    end of a year changes no record.
    """

    __tablename__ = "release_versions"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    series: Mapped[int] = mapped_column(Integer)
    first: Mapped[int] = mapped_column(Integer)
    last: Mapped[int | None] = mapped_column(Integer)
    record: Mapped[Big]
    employer: Mapped[Big]
    source_id: Mapped[int] = mapped_column(Integer)
    role_id: Mapped[int] = mapped_column(Integer)
    region_id: Mapped[int] = mapped_column(Integer)
    year: Mapped[int] = mapped_column(Integer)
    quarter: Mapped[int] = mapped_column(Integer)
    amount: Mapped[int] = mapped_column(Integer)
    level_id: Mapped[int] = mapped_column(SmallInteger)
    __table_args__ = (Index("ix_release_versions_series", "series", postgresql_using="brin"),)


class ReleaseRegion(Table):
    """Where a region lay (0: at the top) when records in it were first part of a release.

    It stays there for the series: a region that moved would change nodes without a record's change,
    and what releases before and after differ by would be its records alone.
    """

    __tablename__ = "release_regions"
    series: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    region_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    parent_id: Mapped[int] = mapped_column(Integer)

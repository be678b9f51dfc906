"""Published figures, shown beside the statistics and never mixed into them."""

from decimal import Decimal

from sqlalchemy import ARRAY, Double, Index, Integer, Numeric, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.base import Big, Day, Small, String, Table


class Benchmark(Table):
    """One published figure set. Identity: the dimensions, the period and the pay period.

    `soc` is '' where the figure is about a role; money is in `currency` per `pay_period`.
    `period_from` to `period_until` is what the published period covers; `period` is its text.
    """

    __tablename__ = "benchmarks"
    id: Mapped[Big] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(Integer)
    role_id: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    soc: Mapped[String] = mapped_column(server_default=text("''"))
    region_id: Mapped[int] = mapped_column(Integer)
    level_id: Mapped[Small]
    industry_id: Mapped[Small]
    period: Mapped[String]
    period_from: Mapped[Day]
    period_until: Mapped[Day]
    currency: Mapped[String]
    pay_period: Mapped[Small]
    open_ended: Mapped[bool] = mapped_column(server_default=text("false"))
    low: Mapped[Decimal | None] = mapped_column(Numeric)
    high: Mapped[Decimal | None] = mapped_column(Numeric)
    mean: Mapped[Decimal | None] = mapped_column(Numeric)
    p10: Mapped[Decimal | None] = mapped_column(Numeric)
    p25: Mapped[Decimal | None] = mapped_column(Numeric)
    p50: Mapped[Decimal | None] = mapped_column(Numeric)
    p75: Mapped[Decimal | None] = mapped_column(Numeric)
    p90: Mapped[Decimal | None] = mapped_column(Numeric)
    top_coded: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    rse: Mapped[float | None] = mapped_column(Double)
    employment: Mapped[float | None] = mapped_column(Double)
    url: Mapped[str | None] = mapped_column(Text)
    import_id: Mapped[int] = mapped_column(Integer)
    changed_import_id: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        UniqueConstraint(
            "source_id",
            "role_id",
            "soc",
            "region_id",
            "level_id",
            "industry_id",
            "period",
            "pay_period",
            name="uq_benchmarks_identity",
        ),
        Index("ix_benchmarks_soc", "soc"),
    )

"""Exchange rates of the European Central Bank, and price indices of regions."""

from datetime import date
from decimal import Decimal

from sqlalchemy import Date, Double, Integer, Numeric, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.base import Small, Table


class ExchangeRate(Table):
    """Units of `currency` for one euro on a day."""

    __tablename__ = "exchange_rates"
    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    observed_on: Mapped[date] = mapped_column(Date, primary_key=True)
    per_eur: Mapped[Decimal] = mapped_column(Numeric)


class PriceIndex(Table):
    """An index of prices: `kind` parity (a region's level of a year, the country = 100) or cpi (a
    country's consumer prices of a month), of the period that begins on `period_on`.
    """

    __tablename__ = "price_indices"
    kind: Mapped[Small] = mapped_column(primary_key=True)
    region_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    period_on: Mapped[date] = mapped_column(Date, primary_key=True)
    value: Mapped[float] = mapped_column(Double)

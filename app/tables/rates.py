"""Exchange rates as the European Central Bank publishes them."""

from datetime import date
from decimal import Decimal

from sqlalchemy import Date, Numeric, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.base import Table


class ExchangeRate(Table):
    """Units of `currency` for one euro on a day."""

    __tablename__ = "exchange_rates"
    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    observed_on: Mapped[date] = mapped_column(Date, primary_key=True)
    per_eur: Mapped[Decimal] = mapped_column(Numeric)

"""What all tables share: metadata, constraint names and column shorthands."""

from datetime import date, datetime
from typing import Annotated

from sqlalchemy import BigInteger, Date, DateTime, MetaData, SmallInteger, Text, func, text
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Table(DeclarativeBase):
    """Base of all mapped tables."""

    metadata = MetaData(naming_convention=NAMES)


Big = Annotated[int, mapped_column(BigInteger)]
Small = Annotated[int, mapped_column(SmallInteger, server_default=text("0"))]
String = Annotated[str, mapped_column(Text)]
Day = Annotated[date, mapped_column(Date)]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]

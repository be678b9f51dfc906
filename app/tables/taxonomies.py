"""Dimensions: roles, titles, levels, regions, industries, sources. Row 0 is `unspecified`."""

from typing import Any

from sqlalchemy import ARRAY, Index, Integer, SmallInteger, Text
from sqlalchemy import text as sql_text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.base import Moment, Small, String, Table

TEXTS = ARRAY(Text)


class Level(Table):
    """Seniority, ranked."""

    __tablename__ = "levels"
    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    code: Mapped[String] = mapped_column(unique=True)
    name: Mapped[String]
    rank: Mapped[Small]
    aliases: Mapped[list[str]] = mapped_column(TEXTS, server_default=sql_text("'{}'"))


class Role(Table):
    """An occupation. `facts` holds published facts with their source."""

    __tablename__ = "roles"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    code: Mapped[String] = mapped_column(unique=True)
    name: Mapped[String]
    family: Mapped[String] = mapped_column(server_default=sql_text("''"))
    soc: Mapped[str | None] = mapped_column(Text)
    isco: Mapped[str | None] = mapped_column(Text)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql_text("'{}'"))


class TitleAlias(Table):
    """What a title means: kept by admins, seeded with the taxonomy. `text` is normalised."""

    __tablename__ = "title_aliases"
    text: Mapped[str] = mapped_column(Text, primary_key=True)
    role_id: Mapped[int] = mapped_column(Integer, index=True)
    level_id: Mapped[Small]
    focus_area: Mapped[str | None] = mapped_column(Text)


class Title(Table):
    """A job title as written in records, with what it was matched to. Row 0: none stated."""

    __tablename__ = "titles"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    text: Mapped[String]
    role_id: Mapped[int] = mapped_column(Integer, server_default=sql_text("0"))
    level_id: Mapped[Small]
    focus_area: Mapped[str | None] = mapped_column(Text)
    confidence: Mapped[float] = mapped_column(server_default=sql_text("0"))
    method: Mapped[String] = mapped_column(server_default=sql_text("'none'"))
    # A title may be longer than an index entry can be, so its hash is what is unique.
    __table_args__ = (Index("uq_titles_text_md5", sql_text("md5(text)"), unique=True),)


class Region(Table):
    """A country, subdivision or metro area.

    `ancestors` are the ids from the region itself up to its country, so that everything under X
    is `ancestors && ARRAY[X]`; `country_id`, `subdivision_id` and `metro_id` are the nearest of
    that kind, the region itself included, 0 where there is none.
    """

    __tablename__ = "regions"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    code: Mapped[String] = mapped_column(unique=True)
    name: Mapped[String]
    kind: Mapped[Small]
    parent_id: Mapped[int | None] = mapped_column(Integer, index=True)
    ancestors: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    country_id: Mapped[int] = mapped_column(Integer, server_default=sql_text("0"))
    subdivision_id: Mapped[int] = mapped_column(Integer, server_default=sql_text("0"))
    metro_id: Mapped[int] = mapped_column(Integer, server_default=sql_text("0"))
    alpha3: Mapped[str | None] = mapped_column(Text)
    cbsa: Mapped[str | None] = mapped_column(Text)
    aliases: Mapped[list[str]] = mapped_column(TEXTS, server_default=sql_text("'{}'"))


class Industry(Table):
    """An industry of the short list."""

    __tablename__ = "industries"
    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    code: Mapped[String] = mapped_column(unique=True)
    name: Mapped[String]
    naics: Mapped[str | None] = mapped_column(Text)
    aliases: Mapped[list[str]] = mapped_column(TEXTS, server_default=sql_text("'{}'"))


class Source(Table):
    """Who data came from. A confidential one enters no live answer, whatever is asked."""

    __tablename__ = "sources"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    code: Mapped[String] = mapped_column(unique=True)
    name: Mapped[String]
    kind: Mapped[Small]
    confidential: Mapped[bool] = mapped_column(server_default=sql_text("false"))
    demo: Mapped[bool] = mapped_column(server_default=sql_text("false"))
    recurrence: Mapped[int] = mapped_column(SmallInteger, server_default=sql_text("1"))
    licence: Mapped[str | None] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Moment]

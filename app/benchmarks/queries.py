"""Benchmarks as rows: filtered, in a stable order, one page at a time."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    or_,
    select,
)

from app.core.cursors import Position
from app.core.database import ReadSession
from app.core.errors import ConfidentialSource, Refused, UnknownValue
from app.core.numbers import exact_number, whole_number
from app.core.pagination import PageRequest, after_position
from app.core.rows import texts_except
from app.domain.dates import parse_period
from app.domain.vocabulary import PAY_PERIODS, word_of
from app.statistics.filters import check_words, split_codes
from app.tables import Benchmark, Source
from app.taxonomies.catalogue import Catalogue, Dimension

FIGURES: Final = ("low", "high", "mean", "p10", "p25", "p50", "p75", "p90")
PLAIN: Final = ("period", "currency", "open_ended", "top_coded", "rse", "url")
COLUMNS: Final = (
    *("source", "source_name", "role", "role_name", "match", "soc", "region", "region_name"),
    *("level", "level_name", "level_rank", "industry", "industry_name", "period"),
    *("currency", "pay_period", "low", "high", "open_ended", "mean"),
    *("p10", "p25", "p50", "p75", "p90", "top_coded", "rse", "employment", "url"),
)
KINDS: Final = texts_except(
    COLUMNS,
    number=(*FIGURES, "rse", "employment"),
    whole=("level_rank",),
    truth=("open_ended",),
    texts=("top_coded",),
)
FAR_DAY: Final = date(2200, 1, 1)
POSITION: Final = (int, int, int, int, int, int, int)
SOC_FORM: Final = re.compile(r"\d{2}-\d{4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BenchmarkFilters:
    """What was asked, as codes; () is no filter. A region means itself, not what is under it."""

    role: tuple[str, ...] = ()
    soc: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    industry: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    period: tuple[str, ...] = ()
    pay_period: tuple[str, ...] = ()

    def echo(self) -> dict[str, list[str]]:
        """The filters that are set, for `meta.query`."""
        return {name: list(getattr(self, name)) for name in self.__slots__ if getattr(self, name)}


def parse_benchmark_filters(values: Mapping[str, str | None]) -> BenchmarkFilters:
    """Split and check what needs no database.

    Raises Refused for empty values and impossible periods, UnknownValue for pay periods and
    malformed SOC codes (422).
    """
    filters = BenchmarkFilters(**{name: split_codes(name, text) for name, text in values.items()})
    check_words("pay_period", filters.pay_period, PAY_PERIODS)
    for code in filters.soc:
        if SOC_FORM.fullmatch(code) is None:
            raise UnknownValue(
                f"soc {code[:40]!r} is not a SOC code; write it like 15-1252.",
                code="unknown_soc",
                parameter="soc",
            )
    for period in filters.period:
        _check_period(period)
    return filters


def _check_period(text: str) -> None:
    try:
        parse_period(text)
    except ValueError as error:
        raise Refused(
            f"period {error}. Quarters are written like 2024-Q1.",
            code="invalid_date",
            parameter="period",
        ) from None


async def find_benchmarks(
    session: ReadSession, catalogue: Catalogue, filters: BenchmarkFilters, page: PageRequest
) -> tuple[list[dict[str, Any]], list[Position]]:
    """At most `page.limit + 1` rows after the page's position, and the position of each.

    With `role`, a figure that was published for the role's SOC code shows under that role
    (`match` soc) after those about the role itself (`match` role). Raises UnknownValue and
    ConfidentialSource (422).
    """
    statement = build_benchmarks(catalogue, filters, page)
    found = (await session.execute(statement)).mappings().all()
    rows = [_row(row, catalogue) for row in found]
    return rows, [tuple(row[f"position_{i}"] for i in range(len(POSITION))) for row in found]


def build_benchmarks(
    catalogue: Catalogue, filters: BenchmarkFilters, page: PageRequest
) -> Select[Any]:
    """The select behind `find_benchmarks`."""
    asked = _asked_roles(catalogue, filters.role) if filters.role else None
    role_id = Benchmark.role_id if asked is None else asked.c.id
    by_soc = Benchmark.role_id != role_id if asked is not None else Benchmark.soc != ""
    positions: tuple[ColumnElement[Any], ...] = (
        cast(case((by_soc, 1), else_=0), Integer),
        Benchmark.source_id.expression,
        # Newest first: days before a far date.
        literal(FAR_DAY, Date) - Benchmark.period_from,
        Benchmark.region_id.expression,
        Benchmark.level_id.expression,
        cast(role_id, Integer),
        Benchmark.id.expression,
    )
    statement = (
        select(
            Benchmark.__table__,
            role_id.label("shown_role_id"),
            by_soc.label("by_soc"),
            *(item.label(f"position_{i}") for i, item in enumerate(positions)),
        )
        .where(*_conditions(catalogue, filters))
        .order_by(*positions)
        .limit(page.limit + 1)
    )
    if asked is not None:
        statement = statement.join_from(Benchmark, asked, _shows_under(asked))
    if page.after is not None:
        statement = statement.where(after_position(positions, page.after))
    return statement


def _asked_roles(catalogue: Catalogue, codes: Sequence[str]) -> FromClause:
    roles = [catalogue.roles.get(code) for code in codes]
    return (
        func.unnest(
            cast([role.id for role in roles], ARRAY(Integer)),
            cast([role.soc or "" for role in roles], ARRAY(Text)),
        )
        .table_valued(column("id", Integer), column("soc", Text), name="asked")
        .render_derived()
    )


def _shows_under(asked: FromClause) -> ColumnElement[bool]:
    own = and_(Benchmark.role_id == asked.c.id, or_(asked.c.id != 0, Benchmark.soc == ""))
    return or_(own, and_(asked.c.soc != "", Benchmark.soc == asked.c.soc))


def _conditions(catalogue: Catalogue, filters: BenchmarkFilters) -> list[ColumnElement[bool]]:
    confidential = select(Source.id).where(Source.confidential)
    conditions: list[ColumnElement[bool]] = [Benchmark.source_id.not_in(confidential)]
    ids = {
        "source_id": _source_ids(catalogue, filters.source),
        "region_id": _ids(catalogue.regions, filters.region),
        "level_id": _ids(catalogue.levels, filters.level),
        "industry_id": _ids(catalogue.industries, filters.industry),
        "pay_period": [PAY_PERIODS[word] for word in filters.pay_period],
        "soc": list(filters.soc),
        "period": list(filters.period),
    }
    conditions += [getattr(Benchmark, name).in_(wanted) for name, wanted in ids.items() if wanted]
    return conditions


def _ids(dimension: Dimension[Any], codes: Sequence[str]) -> list[int]:
    return [dimension.get(code).id for code in codes]


def _source_ids(catalogue: Catalogue, codes: Sequence[str]) -> list[int]:
    sources = [catalogue.sources.get(code) for code in codes]
    for source in sources:
        if source.confidential:
            raise ConfidentialSource(
                f"{source.code}: a confidential source has no benchmarks. Leave it out of source=.",
                parameter="source",
            )
    return [source.id for source in sources]


def _row(row: Mapping[Any, Any], catalogue: Catalogue) -> dict[str, Any]:
    source = catalogue.sources.by_id[row["source_id"]]
    role = catalogue.roles.by_id[row["shown_role_id"]]
    region = catalogue.regions.by_id[row["region_id"]]
    level = catalogue.levels.by_id[row["level_id"]]
    industry = catalogue.industries.by_id[row["industry_id"]]
    return {
        "source": source.code,
        "source_name": source.name,
        "role": role.code,
        "role_name": role.name,
        "match": "soc" if row["by_soc"] else "role",
        "soc": row["soc"] or None,
        "region": region.code,
        "region_name": region.name,
        "level": level.code,
        "level_name": level.name,
        "level_rank": level.rank,
        "industry": industry.code,
        "industry_name": industry.name,
        "pay_period": word_of(PAY_PERIODS, row["pay_period"]),
        **{name: exact_number(row[name]) for name in FIGURES},
        "employment": whole_number(row["employment"]),
        **{name: row[name] for name in PLAIN},
    }

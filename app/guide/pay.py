"""What the role is paid: overall, by level, by region, by work mode, by year."""

from collections.abc import Sequence
from typing import Any, Final

from app.core.rows import Kind
from app.domain.distributions import MIN_INTERVAL_COUNT
from app.domain.periods import number_of_label
from app.domain.vocabulary import UNSPECIFIED
from app.domain.windows import is_cut
from app.guide.ground import NOT_IN_RELEASE, Ground, Row, Table
from app.market.queries import find_market
from app.market.shape import MARKET, MarketShape, market_measures
from app.statistics.bands import FIGURES
from app.statistics.envelope import range_share
from app.statistics.grouping import DIMENSIONS, NO_GROUPS, Grouping
from app.statistics.kinds import column_kinds
from app.statistics.measures import MEASURES, Measure
from app.statistics.queries import Answer, find_statistics
from app.statistics.shape import MAX_GROUPS, Shape, SortKey
from app.statistics.statement import LEFT_OUT

PUBLISHED: Final = {
    "published_low": Kind.NUMBER,
    "published_high": Kind.NUMBER,
    "published_open_ended": Kind.TRUTH,
    "published_currency": Kind.TEXT,
    "published_pay_period": Kind.TEXT,
    "published_period": Kind.TEXT,
    "published_source": Kind.TEXT,
}
"""Columns of a published band, as it was published."""
_OF_BENCHMARKS: Final = {
    "published_low": "low",
    "published_high": "high",
    "published_open_ended": "open_ended",
    "published_currency": "currency",
    "published_pay_period": "pay_period",
    "published_period": "period",
    "published_source": "source",
}
BAND: Final = ("band_low", "band_high")


def _published(band: Row | None) -> Row:
    return {name: band and band[column] for name, column in _OF_BENCHMARKS.items()}


def about(ground: Ground, answer: Answer) -> Row:
    """What `meta` says of a section about pay."""
    totals = answer.totals
    coverage: Row = {}
    if ground.reading.release is None:
        coverage = {name: getattr(totals, name) for name in LEFT_OUT}
        coverage["range_share"] = range_share(totals)
    return {"records": totals.records, "coverage": coverage, "data_as_of": totals.newest}


def nothing(ground: Ground) -> Row:
    """Count and status of a row without pay."""
    count = 0 if ground.reading.release is None else None
    return {"count": count, "status": ground.without_pay}


def figures_of(ground: Ground, *names: str) -> tuple[Measure, ...]:
    """The measures of these names that the population has."""
    released = ground.reading.release is not None
    return tuple(MEASURES[name] for name in names if not released or MEASURES[name].released)


async def find_level_bands(ground: Ground) -> Table:
    """A band for each level asked that has records or a published one, by rank."""
    bands = await ground.bands()
    published = ground.published_bands()
    live = {row["level"]: row for row in bands.rows}
    levels = ground.reading.catalogue.levels
    asked = ground.reading.filters.level or tuple(published)
    codes = {*live, *(code for code in published if code != UNSPECIFIED and code in asked)}
    # Records that state no level come last, as everywhere.
    codes_by_rank = sorted(codes, key=lambda code: (code == UNSPECIFIED, levels.get(code).rank))
    rows = []
    for code in codes_by_rank:
        level = levels.get(code)
        head = {"level": code, "level_name": level.name, "level_rank": level.rank}
        found = live.get(code) or {**dict.fromkeys(bands.columns), **nothing(ground)}
        rows.append({**found, **head, **_published(published.get(code))})
    columns = (*(name for name in bands.columns if name != "status"), *PUBLISHED, "status")
    return Table(
        columns,
        column_kinds(columns, FIGURES, **PUBLISHED),
        rows[: ground.shape.limit],
        len(rows),
        about(ground, bands.answer),
        bands.answer.totals.source_ids,
        without=ground.without_pay,
    )


async def find_overall(ground: Ground) -> Table:
    """One row: the role's median, and from the lowest band to the highest.

    The levels are those with a published band, or all where there is none; `open_ended` says that
    records of a higher level follow.
    """
    measures = figures_of(ground, "count", "p50", "quality")
    answer = await find_statistics(ground.reading, Shape(NO_GROUPS, measures))
    bands = await ground.bands()
    published = ground.published_bands()
    figures = (*(measure.name for measure in measures), *BAND, "open_ended")
    columns = (*figures, *PUBLISHED, "status")
    found = _rows(answer) or [nothing(ground)]
    ends = overall_ends(bands.rows, set(published) - {UNSPECIFIED})
    # What was published of all is no measure of a part.
    overall = published.get(UNSPECIFIED) if ground.is_of_whole_role else None
    row = {**found[0], **ends, **_published(overall)}
    rows = [{name: row.get(name) for name in columns}] if answer.rows or published else []
    return Table(
        columns,
        column_kinds(columns, FIGURES, open_ended=Kind.TRUTH, **PUBLISHED),
        rows,
        len(rows),
        about(ground, answer),
        answer.totals.source_ids,
        without=ground.without_pay,
    )


def overall_ends(bands: Sequence[Row], levels: set[str]) -> Row:
    """From the lowest end of the bands of `levels` (all where empty) to the highest.

    `open_ended`: whether there is a band of a higher rank. Nulls without bands.
    """
    stated = [row for row in bands if row["band_low"] is not None and row["level"] != UNSPECIFIED]
    taken = [row for row in stated if not levels or row["level"] in levels]
    if not taken:
        return {"band_low": None, "band_high": None, "open_ended": None}
    highest = max(row["level_rank"] for row in taken)
    return {
        "band_low": min(row["band_low"] for row in taken),
        "band_high": max(row["band_high"] for row in taken),
        "open_ended": any(row["level_rank"] > highest for row in stated),
    }


async def find_top_regions(ground: Ground) -> Table:
    """Regions by their median, the highest first: those with enough records for its interval."""
    grouping = ground.shape.regions
    measures = figures_of(ground, "count", "p50", "p50_low", "p50_high", "quality")
    order = (SortKey("p50", descending=True, measure=MEASURES["p50"]),)
    answer = await find_statistics(ground.reading, Shape(grouping, measures, order, MAX_GROUPS))
    # What a release shows is enough for it.
    enough = 1 if ground.reading.release is not None else MIN_INTERVAL_COUNT
    rows = [
        row
        for row in _rows(answer)
        if row["region"] != UNSPECIFIED and row["count"] >= enough and row["p50"] is not None
    ]
    made_of = {"min_count": enough, **about(ground, answer)}
    return _marked(ground, answer, rows, "region", "regions", made_of)


async def find_work_modes(ground: Ground) -> Table:
    """Pay by work mode, the most frequent first, with its share of the records that state one."""
    grouping = Grouping((DIMENSIONS["work_mode"],))
    measures = figures_of(ground, "count", "p50", "p50_low", "p50_high", "quality")
    if ground.reading.release is not None:
        columns = (*grouping.columns, *(measure.name for measure in measures), "share", "published")
        return Table(columns, _kinds(columns), [], 0, status=NOT_IN_RELEASE)
    order = (SortKey("count", descending=True, measure=MEASURES["count"]),)
    answer = await find_statistics(ground.reading, Shape(grouping, measures, order))
    rows = [row for row in _rows(answer) if row["work_mode"] != UNSPECIFIED]
    stated = sum(row["count"] for row in rows)
    rows = [{**row, "share": round(row["count"] / stated, 6) if stated else None} for row in rows]
    made_of = {"not_stated": answer.totals.records - stated, **about(ground, answer)}
    return _marked(ground, answer, rows, "work_mode", "work_modes", made_of, "share")


def _rows(answer: Answer) -> list[Row]:
    return [dict(zip(answer.columns, values, strict=False)) for values in answer.rows]


def _marked(
    ground: Ground,
    answer: Answer,
    rows: list[Row],
    name: str,
    fact: str,
    made_of: Row,
    *more: str,
) -> Table:
    """A table whose rows say whether the published guide names them."""
    words = ground.published_words(fact)
    columns = (*(item for item in answer.columns if item != "status"), *more, "published", "status")
    marked = [{**row, "published": row[name].casefold() in words} for row in rows]
    shown = marked[: ground.shape.limit]
    return Table(
        columns,
        _kinds(columns),
        shown,
        len(rows),
        made_of,
        answer.totals.source_ids,
        without=ground.without_pay,
    )


def _kinds(columns: Sequence[str]) -> dict[str, Kind]:
    others: dict[str, Any] = {"share": Kind.NUMBER, "published": Kind.TRUTH}
    return column_kinds(columns, **others)


async def find_years(ground: Ground) -> Table:
    """Pay and demand by year, the oldest first."""
    grouping = Grouping((DIMENSIONS["year"],))
    measures = market_measures(released=ground.reading.release is not None)
    shape = MarketShape(grouping, tuple(measures.values()), limit=MAX_GROUPS)
    market = await find_market(ground.reading, shape)
    window, rows = ground.reading.filters.window, market.rows[-ground.shape.limit :]
    cut = [
        row["year"] for row in rows if is_cut(window, number_of_label(row["year"], "year"), "year")
    ]
    ids = {*market.pay.totals.source_ids, *market.demand.totals.source_ids}
    return Table(
        shape.columns,
        column_kinds(shape.columns, MARKET),
        rows,
        market.groups,
        {
            "cut_periods": cut,
            "share_of": market.demand.share_of,
            **about(ground, market.pay),
            "demand_records": market.demand.totals.records,
        },
        tuple(sorted(ids)),
        without=ground.without_pay,
    )

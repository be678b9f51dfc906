"""What a release is made of: the records as they are now, and as earlier releases had them.

A record that changed is two versions of one record. What counts as the same is decided by content
alone, so that deleting records and loading them again changes nothing.
"""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from app.domain.closed_periods import days_of
from app.domain.vocabulary import PAY_KINDS
from app.statistics.population import DEFAULT_PAY_KINDS

if TYPE_CHECKING:
    import polars as pl

# The same for all versions of a record, and after it was deleted and loaded again: keys follow
# from its external id. Two sources may use one external id, so the source has a part in it.
_RECORD: Final = (
    "('x' || left(encode(uuid_send(r.key), 'hex'), 16))::bit(64)::bigint"
    " # (r.source_id::bigint * 2654435761)"
)
_DAY: Final = "r.{column} - DATE '1970-01-01'"

CONTENT: Final = ("source", "role", "region", "level", "year", "quarter", "employer", "amount")
"""What figures depend on."""


def build_population(series: int, through: date) -> str:
    """SQL for the population as of now: `record`, what CONTENT names with `first_day` and
    `last_day` (days since 1970) in place of `year` and `quarter`.

    `series`: 0 for the confidential sources, else the id of a public one.
    """
    kinds = ", ".join(str(PAY_KINDS[word]) for word in DEFAULT_PAY_KINDS)
    sources = f"s.id = {series} AND NOT s.confidential" if series else "s.confidential"
    columns = [
        f"{_RECORD} AS record",
        *(f"r.{name}_id AS {name}" for name in ("source", "role", "region", "level")),
        f"{_DAY.format(column='observed_on')} AS first_day",
        f"{_DAY.format(column='observed_until')} AS last_day",
        "coalesce(r.employer_key, 0) AS employer",
        "r.annual_amount AS amount",
    ]
    records = "FROM salary_records AS r JOIN sources AS s ON s.id = r.source_id"
    conditions = [
        sources,
        f"r.pay_kind IN ({kinds})",
        "r.annual_amount IS NOT NULL",
        f"r.observed_until <= DATE '{through.isoformat()}'",
    ]
    return " ".join(("SELECT", ", ".join(columns), records, "WHERE", " AND ".join(conditions)))


@dataclass(frozen=True)
class Versions:
    """All versions, as `compute_release` takes them, and what is different from what is stored:
    versions to add, and the ids of those that have ended."""

    frame: "pl.DataFrame"
    added: "pl.DataFrame"
    ended: tuple[int, ...]


def placed(population: "pl.DataFrame") -> "pl.DataFrame":
    """The population with the year and, where its dates tell, the quarter of each record."""
    import polars as pl

    first, last = (pl.col(name).cast(pl.Date) for name in ("first_day", "last_day"))
    quarter = (first.dt.year() * 10 + first.dt.quarter()).cast(pl.Int32)
    same = (first.dt.quarter() == last.dt.quarter()) & (first.dt.year() == last.dt.year())
    return population.select(
        "record",
        *("source", "role", "region", "level"),
        first.dt.year().cast(pl.Int32).alias("year"),
        pl.when(same).then(quarter).otherwise(0).cast(pl.Int32).alias("quarter"),
        "employer",
        "amount",
    )


def compare_versions(now: "pl.DataFrame", stored: "pl.DataFrame", number: int) -> Versions:
    """The versions at release `number`.

    `now`: as `placed` gives it; `stored`: the same columns with `id`, `first` and `last` (null:
    up to release number - 1).
    """
    import polars as pl

    alive = stored.filter(pl.col("last").is_null())
    both = ["record", *CONTENT]
    old = _counted(alive.join(now, on=both, how="anti"))
    new = _counted(now.join(alive, on=both, how="anti"))
    same = [*CONTENT, "repetition"]
    gone = old.join(new, on=same, how="anti")["id"]
    added = new.join(old, on=same, how="anti").select(both)
    added = added.with_columns(
        first=pl.lit(number, dtype=pl.Int32), last=pl.lit(number, dtype=pl.Int32)
    )
    last = (
        pl.when(pl.col("last").is_not_null())
        .then(pl.col("last"))
        .when(pl.col("id").is_in(gone.implode()))
        .then(pl.lit(number - 1))
        .otherwise(pl.lit(number))
    )
    kept = stored.with_columns(last.cast(pl.Int32)).select(added.columns)
    return Versions(pl.concat([kept, added]), added, tuple(gone))


def _counted(rows: "pl.DataFrame") -> "pl.DataFrame":
    """The rows with `repetition`: 0, 1, ... among those of equal content."""
    import polars as pl

    repetition = pl.int_range(pl.len()).over(CONTENT)
    return rows.sort("record").with_columns(repetition=repetition)


def closed_only(versions: "pl.DataFrame", through: date) -> "pl.DataFrame":
    """The versions with 0 for a year that is not over on the day `through`, the end of a quarter.

    Of old versions too: a year that has closed since holds what earlier releases had of it.
    """
    import polars as pl

    last = through.year if days_of(through.year)[1] <= through else through.year - 1
    year = pl.when(pl.col("year") <= last).then(pl.col("year")).otherwise(0).cast(pl.Int32)
    return versions.with_columns(year=year)

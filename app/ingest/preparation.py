"""Work on one chunk that needs no database, in threads: from text columns to bytes for COPY."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import polars as pl

from app.ingest.checks import Checks, same
from app.ingest.chunks import Chunk, RowError
from app.ingest.fields import Kind
from app.ingest.identity import Identities, content_hashes
from app.ingest.meanings import Meanings
from app.ingest.profiles import Profile
from app.ingest.report import WarningKey
from app.ingest.staging import BENCHMARK_COLUMNS, DEMAND, SALARIES, RecordTables, copy_bytes
from app.ingest.validation import Validated, validate
from app.rates.pricing import RateTable
from app.taxonomies.titles import NO_TITLE, ResolvedTitle

TABLES: Final[Mapping[Kind, RecordTables]] = {"salary": SALARIES, "demand": DEMAND}
_SHARED_CONTENT: Final = (
    *("region_id", "level_id", "industry_id", "role_id", "title", "employer_key"),
    *("observed_on", "precision"),
)
CONTENT: Final[Mapping[Kind, tuple[str, ...]]] = {
    "salary": (
        *_SHARED_CONTENT,
        *("employment_type", "work_mode", "pay_kind", "pay_period", "amount_min", "amount_max"),
        *("currency", "fte", "url"),
    ),
    "demand": (*_SHARED_CONTENT, "measure", "openings", "candidates", "skills"),
}
"""What makes a row another one than that which is stored. Role and level only as the row states
them: what a title means may change without a new record."""

NUMBERS: Final = frozenset({"amount_min", "amount_max", "fte"})
"""Content that is kept as text: another spelling of the same number is no other content."""

_BENCHMARK_KEY: Final = (
    *("source_id", "role_id", "soc", "region_id", "level_id", "industry_id"),
    *("period", "pay_period"),
)
BATCH_REQUIRED: Final = (
    "The row has no external_id: name the file with the parameter batch, or send an "
    "Idempotency-Key, so that sending it again doubles nothing."
)


@dataclass
class PreparedChunk:
    """A chunk, validated: rows to write by kind, and what the report will say of it."""

    received: int
    skipped: int
    bytes_read: int
    rejected: int = 0
    errors: list[RowError] = field(default_factory=list)
    error_count: int = 0
    warnings: Counter[WarningKey] = field(default_factory=Counter)
    rows: dict[Kind, pl.DataFrame] = field(default_factory=dict)
    source_ids: frozenset[int] = frozenset()

    def titles(self, *, stated_role: bool) -> list[str]:
        """Distinct titles of rows that do, or do not, state their role themselves."""
        found: set[str] = set()
        for kind, rows in self.rows.items():
            if kind != "benchmark":
                chosen = rows.filter(pl.col("role_stated") == stated_role)["title"]
                found.update(chosen.drop_nulls().unique().to_list())
        return sorted(found)


@dataclass(frozen=True)
class StagedRows:
    """Rows of one kind as bytes: each of `rounds` holds a key once. `first` rows are counted by
    the database; of later rows with a key that came before, `again_changed` differ from the one
    before them and `again_same` do not."""

    kind: Kind
    rounds: tuple[bytes, ...]
    first: int
    again_changed: int
    again_same: int
    pending: int
    dates: frozenset[tuple[int, date]]


class Preparation:
    """The rules of one import, applied to its chunks in file order by one thread at a time."""

    def __init__(
        self,
        profile: Profile,
        meanings: Mapping[Kind, Meanings],
        rates: RateTable,
        identities: Identities,
        employer_secret: bytes,
    ) -> None:
        self._profile = profile
        self._meanings = meanings
        self._rates = rates
        self._identities = identities
        self._employer_secret = employer_secret

    def prepare(self, chunk: Chunk) -> PreparedChunk:
        """Map, validate and identify the rows of a chunk."""
        mapped = self._profile.apply(chunk.rows)
        prepared = PreparedChunk(chunk.received, mapped.skipped, chunk.bytes_read)
        prepared.rejected = len(chunk.bad_rows)
        prepared.errors += chunk.bad_rows
        prepared.error_count = len(chunk.bad_rows)
        sources: set[int] = set()
        for kind, frame in mapped.frames().items():
            meanings = self._meanings[kind]
            validated = validate(frame, meanings, self._rates, self._employer_secret)
            if kind != "benchmark":
                self._identify(validated, chunk.rows)
            _collect(prepared, validated)
            prepared.rows[kind] = validated.rows
            sources |= validated.source_ids
        prepared.source_ids = frozenset(sources)
        return prepared

    def _identify(self, validated: Validated, arrived: pl.DataFrame) -> None:
        rows = validated.rows
        rows = rows.with_columns(
            self._identities.keys(rows, arrived),
            content_hashes(rows, CONTENT[validated.kind], NUMBERS),
        )
        checks = Checks(rows)
        lacking = checks.test(pl.col("key").is_null())
        checks.reject(lacking, "external_id", same("batch_required", BATCH_REQUIRED))
        checks.drop_rejected()
        needed = {*TABLES[validated.kind].copied, "title"}
        validated.rows = checks.frame.select(c for c in checks.frame.columns if c in needed)
        validated.rejected += checks.rejected_count
        validated.errors += checks.errors
        validated.error_count += checks.error_count


def _collect(prepared: PreparedChunk, validated: Validated) -> None:
    prepared.rejected += validated.rejected
    prepared.errors += validated.errors
    prepared.error_count += validated.error_count
    prepared.warnings.update(validated.warnings)


def stage(
    kind: Kind, rows: pl.DataFrame, titles: Mapping[str, ResolvedTitle], settled: int = 0
) -> StagedRows | None:
    """The rows of a kind as bytes for COPY; None where there are none. `settled` rows were left
    out because they change nothing."""
    if not rows.height:
        return None
    if kind == "benchmark":
        return _stage(kind, rows.with_columns(content_hashes(rows, list(BENCHMARK_COLUMNS))))
    completed = _with_titles(rows, titles)
    if kind == "salary":
        completed = completed.with_columns(last_seen_on=pl.col("observed_on"))
    staged = _stage(kind, completed)
    return replace(staged, again_same=staged.again_same + settled)


def _with_titles(rows: pl.DataFrame, titles: Mapping[str, ResolvedTitle]) -> pl.DataFrame:
    """Role and level from the title where the row states none."""
    named = rows["title"].drop_nulls().unique().to_list()
    found = [titles[title] for title in named]
    known = pl.DataFrame(
        {
            "title": named,
            "title_id": [title.title_id for title in found],
            "title_role": [title.role_id for title in found],
            "title_level": [title.level_id for title in found],
        },
        schema={"title": pl.String} | dict.fromkeys(_TITLE_COLUMNS, pl.Int32),
    )
    joined = rows.join(known, on="title", how="left", maintain_order="left")
    return joined.with_columns(
        pl.col("title_id").fill_null(NO_TITLE.title_id),
        role_id=pl.when("role_stated").then("role_id").otherwise(pl.col("title_role").fill_null(0)),
        level_id=pl.when("level_stated")
        .then("level_id")
        .otherwise(pl.col("title_level").fill_null(0)),
    )


_TITLE_COLUMNS: Final = ("title_id", "title_role", "title_level")


def _stage(kind: Kind, rows: pl.DataFrame) -> StagedRows:
    key = _BENCHMARK_KEY if kind == "benchmark" else ("source_id", "key")
    columns = BENCHMARK_COLUMNS if kind == "benchmark" else TABLES[kind].copied
    rounds, changed, unchanged = _split_repeats(rows, key)
    pending = int(rows["rate_pending"].sum()) if kind == "salary" else 0
    dates: Iterable[tuple[int, date]] = ()
    if kind == "demand":
        dates = rows.select("source_id", "observed_on").unique().iter_rows()
    return StagedRows(
        kind,
        tuple(copy_bytes(part, columns) for part in rounds),
        rounds[0].height,
        changed,
        unchanged,
        pending,
        frozenset(dates),
    )


def _split_repeats(rows: pl.DataFrame, key: Sequence[str]) -> tuple[list[pl.DataFrame], int, int]:
    """Rows apply in file order, but a merge takes a key once: the first row of each key, then the
    last. What lies between decides nothing, and is counted here.

    A span source keeps the earliest date and the latest sighting of all.
    """
    if rows.select(pl.struct(key).n_unique()).item() == rows.height:
        return [rows], 0, 0
    nth = pl.int_range(pl.len()).over(key)
    marked = rows.with_columns(
        _nth=nth,
        _count=pl.len().over(key),
        _changed=(pl.col("content_hash") != pl.col("content_hash").shift(1)).over(key),
    )
    again = marked.filter(pl.col("_nth") > 0)
    changed = int(again["_changed"].sum())
    is_last = pl.col("_nth") == pl.col("_count") - 1
    lasts = again.filter(is_last)
    firsts = marked.filter(pl.col("_nth") == 0)
    if "span" in rows.columns and rows["span"].any():
        firsts, lasts = _with_sightings(marked, firsts, lasts, key)
    return [firsts, lasts], changed, again.height - changed


def _with_sightings(
    marked: pl.DataFrame, firsts: pl.DataFrame, lasts: pl.DataFrame, key: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """For span sources: the earliest of equal keys goes first, the last says when it was seen."""
    earliest = marked.sort("observed_on", maintain_order=True).unique(
        key, keep="first", maintain_order=True
    )
    firsts = pl.concat([firsts.filter(~pl.col("span")), earliest.filter("span")])
    if "last_seen_on" in marked.columns:
        seen = marked.group_by(key).agg(_seen=pl.col("last_seen_on").max())
        lasts = lasts.join(seen, on=key, how="left", maintain_order="left").with_columns(
            last_seen_on=pl.when("span").then("_seen").otherwise("last_seen_on")
        )
    return firsts, lasts

"""The skills that demand records name, most frequent first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from anyio import to_thread
from pydantic import Field

from app.core.errors import UnknownValue
from app.core.rows import texts_except
from app.demand.reading import DemandReading
from app.demand.shape import MeasureParameters
from app.demand.statement import SKILL_TOTALS, build_skills
from app.domain.folding import fold
from app.domain.nearest import nearest
from app.statistics.filters import split_codes
from app.statistics.queries import Totals
from app.statistics.shape import DEFAULT_LIMIT, MAX_LIMIT

FIGURES: Final = ("records", "openings_new", "openings_open")
COLUMNS: Final = ("skill", *FIGURES, "share", "status")
KINDS: Final = texts_except(
    COLUMNS, whole=["records"], number=["openings_new", "openings_open", "share"]
)
SORTABLE: Final = ("skill", *FIGURES, "share")
DEFAULT_SORT: Final = "-records"
MOST_SPELLINGS: Final = 100_000
"""Spellings that are read at most: a bound on the work."""
SHARE_DECIMALS: Final = 6

Row = dict[str, Any]


class SkillsParameters(MeasureParameters):
    """Parameters of the skills."""

    sort: str = Field(
        default=DEFAULT_SORT,
        description=f"One column to sort by, `-` for descending: {', '.join(SORTABLE)}.",
        examples=["-openings_open"],
    )
    limit: int = Field(
        default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Most rows; more set `truncated`."
    )


@dataclass(frozen=True, slots=True)
class SkillsAnswer:
    """At most `limit` rows, and what they were made of: `totals.records` state skills.

    `totals.groups` counts the skills, `no_skills` the records that name none.
    """

    rows: list[Row] = field(repr=False)
    totals: Totals
    no_skills: int


def parse_skills_sort(text: str) -> str:
    """The column to sort by. Raises UnknownValue and Refused (422)."""
    split_codes("sort", text)
    name = text.strip()
    if name.removeprefix("-") not in SORTABLE:
        close = nearest(name.removeprefix("-"), SORTABLE)
        raise UnknownValue(
            f"sort {name[:40]!r} is not one column of skills. Nearest: {', '.join(close)}. "
            f"All: {', '.join(SORTABLE)}.",
            code="unknown_sort",
            parameter="sort",
            nearest=close,
        )
    return name


async def find_skills(reading: DemandReading, limit: int, sort: str = DEFAULT_SORT) -> SkillsAnswer:
    """Skills, each once however it is spelled: it is shown in its most frequent spelling.

    Raises UnknownValue (422) for codes that are not known.
    """
    connection = await reading.session.connection()
    statement = build_skills(reading.question, MOST_SPELLINGS)
    found = (await connection.exec_driver_sql(statement)).all()
    totals, no_skills, spellings = _read_totals(found[0][-len(SKILL_TOTALS) :])
    if not spellings:
        return SkillsAnswer([], totals, no_skills)
    rows = await to_thread.run_sync(_merged, found, totals.records)
    totals = Totals(
        groups=len(rows) + max(spellings - MOST_SPELLINGS, 0),
        records=totals.records,
        precision=totals.precision,
        newest=totals.newest,
        source_ids=totals.source_ids,
    )
    return SkillsAnswer(_sorted(rows, sort)[:limit], totals, no_skills)


def _read_totals(columns: Sequence[Any]) -> tuple[Totals, int, int]:
    """The totals, the records without skills, and the number of spellings."""
    values = dict(zip(SKILL_TOTALS, columns, strict=True))
    no_skills, spellings = values.pop("no_skills"), values.pop("groups")
    source_ids = tuple(values.pop("sources") or ())
    return Totals(**values, source_ids=source_ids), no_skills, spellings


def _merged(found: Iterable[Sequence[Any]], stating: int) -> list[Row]:
    """One row for each skill. Spellings come most frequent first, and a record names each once."""
    merged: dict[str, Row] = {}
    for skill, *figures in (row[: 1 + len(FIGURES)] for row in found):
        row = merged.setdefault(fold(skill), {"skill": skill, **dict.fromkeys(FIGURES)})
        for name, value in zip(FIGURES, figures, strict=True):
            if value is not None:
                row[name] = value + (row[name] or 0)
    for row in merged.values():
        row["share"] = round(row["records"] / stating, SHARE_DECIMALS)
        row["status"] = "ok"
    return list(merged.values())


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    """By one column, nulls last; ties by the number of records, then by name."""
    name, sign = sort.removeprefix("-"), -1 if sort.startswith("-") else 1
    usual = sorted(rows, key=lambda row: (-row["records"], fold(row["skill"])))
    if name == "skill":
        return sorted(usual, key=lambda row: fold(row["skill"]), reverse=sign < 0)
    return sorted(usual, key=lambda row: (row[name] is None, sign * (row[name] or 0)))

"""Salary statistics: from cells where they carry the question, else one statement over records."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from app.statistics.population import Population, Release
from app.statistics.reading import Reading
from app.statistics.released import build_released, released_shape
from app.statistics.shape import Shape, check_groups
from app.statistics.statement import TOTALS, build_statistics

STATUS: Final = "status"
OK: Final = "ok"


@dataclass(frozen=True, slots=True)
class Totals:
    """What an answer is made of, over all groups, shown or not.

    `ranged` of the `records` state a range. `rate_pending`, `one_sided`, `out_of_bounds` (known
    when the rate arrived), `precision` and `no_index` count records that match the filters and
    enter no figure, each once. `newest` is the last observed_on
    that is used, `source_ids` the sources.
    """

    groups: int = 0
    records: int = 0
    ranged: int = 0
    rate_pending: int = 0
    one_sided: int = 0
    out_of_bounds: int = 0
    precision: int = 0
    no_index: int = 0
    newest: date | None = None
    source_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """At most `limit` rows, in order, and what they were made of.

    A row begins with the values of `columns`; what follows is no part of the answer. Amounts may be
    off by `max_relative_error` of what they should be; counts, means and all that is not about
    single amounts are exact.
    """

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]] = field(repr=False)
    totals: Totals
    max_relative_error: float = field(default=0, kw_only=True)

    @property
    def method(self) -> str:
        """For `meta`."""
        return "approximate" if self.max_relative_error else "exact"


async def find_statistics(reading: Reading, shape: Shape) -> Answer:
    """The figures of a reading in a shape: of records or their cells, or of its release.

    Raises UnknownValue for codes that are not known, Refused for too many groups and for what a
    release does not have (all 422).
    """
    if reading.release is not None:
        return await _find_released(reading, reading.release, shape)
    # Imported here: it loads numpy.
    from app.statistics.cell_answers import find_from_cells

    answer = await find_from_cells(reading, shape)
    return await find_from_records(reading, shape) if answer is None else answer


async def find_from_records(reading: Reading, shape: Shape) -> Answer:
    """The figures from the records themselves, in one statement. Raises as `find_statistics`."""
    question = reading.question
    connection = await reading.session.connection()
    found = (await connection.exec_driver_sql(build_statistics(question, shape))).all()
    totals = read_totals(found[0][-len(TOTALS) :], question.population)
    check_groups(totals.groups)
    return Answer((*shape.columns, STATUS), found if totals.groups else [], totals)


async def _find_released(reading: Reading, release: Release, shape: Shape) -> Answer:
    """The nodes of a release. Hidden and empty ones look alike: both are absent."""
    shape = released_shape(shape)
    connection = await reading.session.connection()
    statement = build_released(reading.question, release, shape)
    found = (await connection.exec_driver_sql(statement)).all()
    groups, records = found[0].groups, found[0].records
    check_groups(groups)
    named = {reading.catalogue.sources.get(code).id for code in reading.filters.source}
    # A source without figures of its own is not even named.
    sources = tuple(id for id in release.source_ids if not named or id in named)
    totals = Totals(groups, records, newest=release.through, source_ids=sources)
    return Answer((*shape.columns, STATUS), found if groups else [], totals)


def read_totals(columns: Sequence[Any], population: Population) -> Totals:
    """The totals from the columns of TOTALS."""
    values = dict(zip(TOTALS, columns, strict=True))
    flags = values.pop("sources")
    used: tuple[int, ...] = population.source_ids if values["records"] else ()
    if flags is not None:
        used = tuple(id for place, id in enumerate(used) if flags >> place & 1)
    return Totals(**values, source_ids=used)

"""What all sections of a guide stand on: the role, one snapshot, the published figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import select

from app.benchmarks.queries import BenchmarkFilters, find_benchmarks
from app.core.database import ReadSession
from app.core.errors import NotFound
from app.core.pagination import PageRequest
from app.core.rows import Kind
from app.demand.reading import DemandReading, demand_beside
from app.dependencies import Services
from app.domain.dates import ALL_TIME
from app.domain.folding import fold
from app.domain.nearest import nearest
from app.domain.vocabulary import UNSPECIFIED
from app.guide.shape import GuideShape
from app.market.queries import ABSENT
from app.statistics.bands import Bands, find_bands
from app.statistics.basis import Basis
from app.statistics.cell_reading import keeping
from app.statistics.filters import Filters
from app.statistics.population import DEFAULT_PAY_KINDS
from app.statistics.reading import Reading, begin_reading
from app.tables import Role
from app.taxonomies.catalogue import Catalogue, RoleEntry

Row = dict[str, Any]

OK: Final = "ok"
EMPTY: Final = "empty"
NOT_IN_RELEASE: Final = "not_in_release"
HELD: Final = ("count", "demand_records")
"""Columns that say how many records a row was made of; rows without any are of records."""
MOST_PUBLISHED: Final = 1_000
"""Published figures that are looked at: those about the role itself come first."""


@dataclass(frozen=True, slots=True)
class Table:
    """One section: at most `limit` rows of `total`, and what it was made of.

    `about` is what `meta` says of it beside; `source_ids` are whose records are in it; `without`
    is its status where no row holds more than what was published.
    """

    columns: tuple[str, ...]
    kinds: Mapping[str, Kind]
    rows: Sequence[Row] = field(repr=False)
    total: int
    about: Mapping[str, Any] = field(default_factory=dict)
    source_ids: tuple[int, ...] = ()
    status: str | None = None
    without: str = EMPTY

    def describe(self) -> Row:
        """For `meta.sections`."""
        return {
            "status": self.status or self._status(),
            "groups": self.total,
            "truncated": self.total > len(self.rows),
            **self.about,
        }

    def _status(self) -> str:
        return OK if any(map(_holds_data, self.rows)) else self.without


def _holds_data(row: Row) -> bool:
    """Whether a row holds more than what was published."""
    stated = [row[name] for name in HELD if name in row]
    return any(stated) if stated else True


@dataclass(frozen=True, slots=True)
class Ground:
    """The role, the question about pay, the one about demand, and what was published."""

    role: RoleEntry
    shape: GuideShape
    reading: Reading
    beside: DemandReading
    facts: Mapping[str, Any]
    benchmarks: Sequence[Row] = field(repr=False)
    _bands: list[Bands] = field(default_factory=list, compare=False, repr=False)

    async def bands(self) -> Bands:
        """The pay bands by level, which two sections show; computed once."""
        if not self._bands:
            self._bands.append(await find_bands(self.reading, self.shape.bands))
        return self._bands[0]

    @property
    def without_pay(self) -> str:
        """The status of what has no pay: a release does not tell hidden from empty."""
        return EMPTY if self.reading.release is None else ABSENT

    @property
    def is_of_whole_role(self) -> bool:
        """Whether nothing but role, region and window narrows the question."""
        filters = replace(self.reading.filters, role=(), region=(), window=ALL_TIME, last=None)
        return filters in (Filters(), Filters(pay_kind=DEFAULT_PAY_KINDS))

    def published_words(self, fact: str) -> frozenset[str]:
        """The words of a published list, folded; empty where none was published."""
        words = self.facts.get(fact)
        return frozenset(fold(str(word)) for word in (words if isinstance(words, list) else ()))

    def published_bands(self) -> dict[str, Row]:
        """The newest published band of each level, about this role and the region asked for.

        Of several of one period, that of the pay period asked for.
        """
        filters, basis = self.reading.filters, self.reading.question.basis
        region = filters.region or (UNSPECIFIED,)
        found: dict[str, Row] = {}
        newest: dict[str, tuple[str, bool]] = {}
        for row in self.benchmarks:
            about = row["match"] == "role" and row["industry"] == UNSPECIFIED
            if about and region == (row["region"],) and None not in (row["low"], row["high"]):
                rank = (row["period"], row["pay_period"] == basis.pay_period)
                if rank > newest.get(row["level"], ("", False)):
                    found[row["level"]], newest[row["level"]] = row, rank
        return found


async def find_ground(
    services: Services,
    session: ReadSession,
    code: str,
    asked: tuple[Filters, Basis],
    shape: GuideShape,
) -> Ground:
    """The ground of a role's guide, in one snapshot.

    Where no region is asked for, it is the one that was published about (`published_region`).
    Raises NotFound (404), UnknownValue, Refused, ConfidentialSource (422).
    """
    filters, basis = asked
    catalogue, _ = await services.catalogue.current(session)
    role = catalogue.roles.find(code)
    if role is None:
        raise unknown_role(catalogue, code)
    facts = dict(await session.scalar(select(Role.facts).where(Role.id == role.id)) or {})
    page = PageRequest(MOST_PUBLISHED, None)
    by_role = BenchmarkFilters(role=(role.code,))
    benchmarks, _ = await find_benchmarks(session, catalogue, by_role, page)
    filters = replace(filters, role=(role.code,))
    if not filters.region:
        filters = replace(filters, region=published_region(catalogue, facts, benchmarks))
    # The sections are about the same records: what one reads serves the next.
    reading = keeping(await begin_reading(services, session, filters, basis))
    beside = await demand_beside(reading)
    return Ground(role, shape, reading, beside, facts, benchmarks)


def published_region(
    catalogue: Catalogue, facts: Mapping[str, Any], benchmarks: Sequence[Row]
) -> tuple[str, ...]:
    """The region that the role's published facts are about, or else its published figures.

    Empty where figures are about several regions, or about none in particular.
    """
    overall = facts.get("overall")
    stated = overall.get("region") if isinstance(overall, dict) else None
    if isinstance(stated, str) and catalogue.regions.find(stated) is not None:
        return (stated,)
    regions = {row["region"] for row in benchmarks if row["match"] == "role"}
    return tuple(regions - {UNSPECIFIED}) if len(regions) == 1 else ()


def unknown_role(catalogue: Catalogue, code: str) -> NotFound:
    """There is no such role: which it may be a title of, or which are near."""
    wanted = fold(code[:200])
    titled = {alias.role_id for alias in catalogue.title_aliases if alias.text == wanted}
    titled |= {role.id for role in catalogue.roles if fold(role.name) == wanted}
    meant = sorted(catalogue.roles.by_id[role_id].code for role_id in titled)
    close = meant or nearest(code, catalogue.roles.open_codes())
    hint = f"It is a title of {', '.join(meant)}." if meant else f"Nearest: {', '.join(close)}."
    return NotFound(
        f"There is no role {code[:80]!r}. {hint} GET /v1/roles lists all codes.",
        code="unknown_role",
        nearest=close,
    )

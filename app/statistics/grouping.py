"""The dimensions that answers can be grouped by: one registry entry each.

A dimension has a key, computed for every record and grouped by, and columns, computed once for
every group: codes and names side by side. All are SQL; records are called `r`, groups `g`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from app.core.errors import Refused
from app.domain.vocabulary import EMPLOYMENT_TYPES, PAY_KINDS, PRECISIONS, WORK_MODES
from app.statistics.filters import check_words, split_codes

MAX_DIMENSIONS: Final = 4
NO_GROUPING: Final = "none"
REGION_KINDS: Final = ("country", "subdivision", "metro")
RELEASED_DIMENSIONS: Final = ("role", "region", "level", "source", "quarter", "year")
"""What releases of confidential data are divided by."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One way to divide records.

    `columns` (name to SQL) are computed from a group's key, `g.<name>_key`, or from its row in
    `taxonomy`, `<name>_row`; `order` is over those columns. The key 0 is the unspecified member,
    sorted last, where there is one. Records of a precision coarser than `coarsest` cannot be
    placed (None: all can). Where not `in_demand`, all demand records are unspecified.
    """

    name: str
    key: str
    columns: Mapping[str, str]
    order: tuple[str, ...]
    taxonomy: str | None = None
    has_unspecified: bool = True
    coarsest: int | None = None
    in_demand: bool = True


@dataclass(frozen=True, slots=True)
class Grouping:
    """Up to 4 dimensions. `region_kind` lifts regions to that kind, None leaves them."""

    dimensions: tuple[Dimension, ...]
    region_kind: str | None = None

    @property
    def names(self) -> list[str]:
        """The names of the dimensions; ['none'] for one row over everything."""
        return [dimension.name for dimension in self.dimensions] or [NO_GROUPING]

    @property
    def coarsest(self) -> int | None:
        """The coarsest precision that all dimensions can place; None: any."""
        limits = [item.coarsest for item in self.dimensions if item.coarsest is not None]
        return min(limits, default=None)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order."""
        return [name for dimension in self.dimensions for name in dimension.columns]


NO_GROUPS: Final = Grouping(())
"""One row over everything."""


def _taxonomy(name: str, table: str, *, ranked: bool = False) -> Dimension:
    row = f"{name}_row"
    columns = {name: f"{row}.code", f"{name}_name": f"{row}.name"}
    if ranked:
        columns[f"{name}_rank"] = f"{row}.rank"
    # Codes by their bytes: the same on every server.
    order = (*([f"{name}_rank"] if ranked else []), f'{name} COLLATE "C"')
    return Dimension(name, f"r.{name}_id", columns, order, taxonomy=table)


def _vocabulary(name: str, words: Mapping[str, int]) -> Dimension:
    cases = " ".join(f"WHEN {code} THEN '{word}'" for word, code in words.items())
    columns = {name: f"CASE g.{name}_key {cases} END"}
    return Dimension(name, f"r.{name}", columns, (f"{name}_key",), in_demand=False)


def _period(name: str, pattern: str, coarsest: str, kind: str = "text") -> Dimension:
    """The key is the first day of the period."""
    # Of a timestamp without time zone: with one, the session's zone would have a say.
    key = f"date_trunc('{name}', r.observed_on::timestamp)::date"
    return Dimension(
        name,
        key,
        {name: f"to_char(g.{name}_key::timestamp, '{pattern}')::{kind}"},
        (f"{name}_key",),
        has_unspecified=False,
        coarsest=PRECISIONS[coarsest],
    )


_REGISTERED: Final = (
    _taxonomy("role", "roles"),
    _taxonomy("region", "regions"),
    _taxonomy("level", "levels", ranked=True),
    _taxonomy("industry", "industries"),
    _vocabulary("employment_type", EMPLOYMENT_TYPES),
    _vocabulary("work_mode", WORK_MODES),
    _vocabulary("pay_kind", PAY_KINDS),
    _taxonomy("source", "sources"),
    _period("month", "YYYY-MM", "month"),
    _period("quarter", 'YYYY-"Q"Q', "month"),
    _period("year", "YYYY", "year", kind="int"),
)

DIMENSIONS: Final[Mapping[str, Dimension]] = MappingProxyType(
    {dimension.name: dimension for dimension in _REGISTERED}
)


def parse_grouping(group_by: str, region_kind: str | None, *, released: bool = False) -> Grouping:
    """The grouping asked for; `none` gives one row over everything.

    Where the answer is from a release, regions are countries unless another kind is asked for.
    Raises UnknownValue naming the nearest dimension or kind, and Refused for empty, repeated and
    more than 4 dimensions, for `region_kind` without grouping by region, and for what releases are
    not divided by (all 422).
    """
    names = split_codes("group_by", group_by)
    if names == (NO_GROUPING,):
        names = ()
    check_words("group_by", names, DIMENSIONS)
    if len(set(names)) < len(names) or len(names) > MAX_DIMENSIONS:
        raise Refused(
            f"group_by takes up to {MAX_DIMENSIONS} different dimensions; it is {group_by[:200]}.",
            code="invalid_grouping",
            parameter="group_by",
        )
    if region_kind is not None:
        split_codes("region_kind", region_kind)
        check_words("region_kind", [region_kind], REGION_KINDS)
        if "region" not in names:
            raise Refused(
                "region_kind lifts the regions of the rows; add region to group_by.",
                code="invalid_grouping",
                parameter="region_kind",
            )
    grouping = Grouping(tuple(DIMENSIONS[name] for name in names), region_kind)
    return released_grouping(grouping) if released else grouping


def released_grouping(grouping: Grouping) -> Grouping:
    """The grouping as releases have it: regions are countries unless another kind is asked for.

    Raises Refused (422) for dimensions that releases are not divided by.
    """
    names = [dimension.name for dimension in grouping.dimensions]
    wrong = [name for name in names if name not in RELEASED_DIMENSIONS]
    if wrong or {"quarter", "year"} <= set(names):
        asked = f"group_by={','.join(wrong)}" if wrong else "group_by of both quarter and year"
        raise Refused(
            f"{asked} is not in a release. Possible: {', '.join(RELEASED_DIMENSIONS)}; of quarter "
            "and year one, not both.",
            code="not_in_release",
            parameter="group_by",
        )
    if grouping.region_kind is None and "region" in names:
        return replace(grouping, region_kind="country")
    return grouping


def key_sql(dimension: Dimension, grouping: Grouping, *, demand: bool = False) -> str:
    """What records are grouped by; a lifted region comes from the joined regions, `lifted`."""
    if dimension.name == "region" and grouping.region_kind is not None:
        return f"lifted.{grouping.region_kind}_id"
    if demand and not dimension.in_demand:
        return "0"
    return dimension.key


def named_sql(grouping: Grouping, condition: str = "g.count > 0") -> str:
    """The groups of `grouped` that meet the condition, with the columns of their dimensions."""
    columns = [
        f"{sql} AS {name}"
        for dimension in grouping.dimensions
        for name, sql in dimension.columns.items()
    ]
    joins = [
        f"JOIN {item.taxonomy} AS {item.name}_row ON {item.name}_row.id = g.{item.name}_key"
        for item in grouping.dimensions
        if item.taxonomy is not None
    ]
    return " ".join(
        ("SELECT", ", ".join(["g.*", *columns]), "FROM grouped AS g", *joins, f"WHERE {condition}")
    )


def order_sql(dimension: Dimension, *, descending: bool = False) -> list[str]:
    """ORDER BY terms over what `named_sql` gives; the unspecified member is last either way."""
    direction = "DESC" if descending else "ASC"
    last = [f"{dimension.name}_key = 0"] if dimension.has_unspecified else []
    return [*last, *(f"{term} {direction}" for term in dimension.order)]

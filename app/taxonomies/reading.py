"""Which members of a dimension an answer lists, read from the catalogue in memory."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence, Set

from app.core.cursors import Position
from app.core.errors import Refused
from app.core.pagination import PageRequest
from app.domain.folding import fold
from app.domain.vocabulary import REGION_KINDS, UNSPECIFIED
from app.statistics.filters import check_words, split_codes
from app.taxonomies.catalogue import (
    Catalogue,
    Dimension,
    Entry,
    EntryT,
    LevelEntry,
    RegionEntry,
    RoleEntry,
)


def by_code(entry: Entry) -> Position:
    """The order of most dimensions."""
    return (entry.code,)


def by_rank(level: LevelEntry) -> Position:
    """The order of levels."""
    return (level.rank, level.code)


def page_in_order(
    entries: Iterable[EntryT], order: Callable[[EntryT], Position], page: PageRequest
) -> list[EntryT]:
    """At most `limit + 1` entries in that order, after the page's position."""
    ordered = sorted(entries, key=order)
    start = 0 if page.after is None else bisect_right(ordered, page.after, key=order)
    return ordered[start : start + page.limit + 1]


def filter_regions(
    catalogue: Catalogue, parent: str | None, kind: str | None, q: str | None
) -> Sequence[RegionEntry]:
    """Regions directly under `parent`; with `kind`, all of that kind anywhere under it.

    Raises UnknownValue (422) naming the nearest, Refused for an empty `q`.
    """
    found = _search(catalogue, "regions", catalogue.regions, q)
    kinds = split_codes("kind", kind)
    check_words("kind", kinds, [word for word in REGION_KINDS if word != UNSPECIFIED])
    codes = {REGION_KINDS[word] for word in kinds}
    parents = split_codes("parent", parent)
    above = {catalogue.regions.get(code, "parent").id for code in parents}
    return [
        region
        for region in found
        if (not codes or region.kind in codes)
        and (not above or _is_under(region, above, direct=not codes))
    ]


def _is_under(region: RegionEntry, above: Set[int], *, direct: bool) -> bool:
    if direct:
        return region.parent_id in above
    return not above.isdisjoint(region.ancestors[1:])


def filter_roles(catalogue: Catalogue, family: str | None, q: str | None) -> Sequence[RoleEntry]:
    """Roles of a family, or with `q` in their code, name, SOC or ISCO code."""
    found = _search(catalogue, "roles", catalogue.roles, q)
    families = split_codes("family", family)
    check_words("family", families, sorted({role.family for role in catalogue.roles} - {""}))
    return [role for role in found if role.family in families] if families else found


def _search(
    catalogue: Catalogue, name: str, dimension: Dimension[EntryT], q: str | None
) -> list[EntryT]:
    if q is None:
        return list(dimension)
    wanted = fold(q)
    if not wanted:
        raise Refused(
            "q is empty; leave it out, or give it text.", code="empty_value", parameter="q"
        )
    texts = catalogue.derived(f"{name}_texts", _search_texts(dimension))
    return [entry for entry in dimension if wanted in texts[entry.id]]


def _search_texts(dimension: Dimension[EntryT]) -> Callable[[], dict[int, str]]:
    def build() -> dict[int, str]:
        return {entry.id: fold(" | ".join(_texts(entry))) for entry in dimension}

    return build


def _texts(entry: EntryT) -> list[str]:
    others = (getattr(entry, name, None) for name in ("alpha3", "cbsa", "soc", "isco", "naics"))
    return [entry.code, entry.name, *getattr(entry, "aliases", ()), *filter(None, others)]

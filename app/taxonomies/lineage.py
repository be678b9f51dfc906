"""Where a region stands in the tree, as it is stored beside the region itself."""

from dataclasses import dataclass

from app.domain.vocabulary import REGION_KINDS

COUNTRY = REGION_KINDS["country"]
SUBDIVISION = REGION_KINDS["subdivision"]
METRO = REGION_KINDS["metro"]


@dataclass(frozen=True, slots=True)
class Lineage:
    """Ids from the region itself up to its country, and the nearest of each kind (0: none)."""

    ancestors: tuple[int, ...]
    country_id: int
    subdivision_id: int
    metro_id: int


def build_lineage(region_id: int, kind: int, parent: Lineage | None) -> Lineage:
    """The lineage of a region of that kind under `parent` (None: at the top)."""
    above = parent or Lineage((), 0, 0, 0)
    return Lineage(
        ancestors=(region_id, *above.ancestors),
        country_id=region_id if kind == COUNTRY else above.country_id,
        subdivision_id=region_id if kind == SUBDIVISION else above.subdivision_id,
        metro_id=region_id if kind == METRO else above.metro_id,
    )

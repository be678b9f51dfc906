"""What the routes about pay and demand have in common: the question as it is kept, and what its
answer depends on."""

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.responses import Response

from app.core.responses.answering import Computed
from app.core.responses.asked import Asked, Asking
from app.core.versions import DataVersion
from app.statistics.basis import Basis
from app.statistics.filters import Filters
from app.taxonomies.catalogue import Catalogue


class Snapshot(Protocol):
    """What an answer was read from: a reading of pay or of demand."""

    @property
    def version(self) -> DataVersion:
        """Of the roles that the filters name."""

    @property
    def filters(self) -> Filters:
        """What was asked."""

    @property
    def catalogue(self) -> Catalogue:
        """The taxonomies of the snapshot."""


def about_pay(
    asking: Asking, route: str, filters: Filters, basis: Basis, shape: Mapping[str, Any]
) -> Asked:
    """The question of a route about pay; `shape` is the echo of its shape."""
    money = {name: getattr(basis, name) for name in ("currency", "pay_period", "population")}
    query = {**filters.echo(), **basis.echo(), **money, **shape}
    return asking.about(route, query, filters.role or None)


def about_demand(asking: Asking, route: str, filters: Filters, shape: Mapping[str, Any]) -> Asked:
    """The question of a route about demand; `shape` holds the measure as well."""
    return asking.about(route, {**filters.echo(), **shape}, filters.role or None)


def computed(snapshot: Snapshot, response: Response) -> Computed:
    """The response, and the version of the roles that its filters name."""
    role_ids = snapshot.filters.role_ids(snapshot.catalogue)
    return Computed(response, snapshot.version, role_ids)

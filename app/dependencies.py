"""What routes ask for. Sessions are opened by the handler itself, so that a request which fails
earlier takes no connection, and a write is committed before its answer leaves."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from app.core.cursors import Cursors
from app.core.database import Database
from app.core.freshness import Freshness
from app.core.probing import read_through
from app.core.responses.answering import Responses
from app.core.responses.build import describe_build
from app.settings import Settings
from app.statistics.kept_rollups import KeptRollups
from app.taxonomies.catalogue import CatalogueCache


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of one process, made once at start."""

    settings: Settings
    database: Database
    catalogue: CatalogueCache
    cursors: Cursors = field(init=False)
    freshness: Freshness = field(init=False)
    responses: Responses = field(init=False)
    kept_rollups: KeptRollups = field(init=False, default_factory=KeptRollups)

    def __post_init__(self) -> None:
        # How the fields of a frozen dataclass are set from one another.
        object.__setattr__(self, "cursors", Cursors(self.database))
        listen_url = self.settings.listen_url or self.database.engine.url
        freshness = Freshness(listen_url, elsewhere=lambda: read_through(self.database))
        self.catalogue.note = freshness.note
        object.__setattr__(self, "freshness", freshness)
        object.__setattr__(self, "responses", self._build_responses())

    def _build_responses(self) -> Responses:
        return Responses(
            self.freshness,
            self._find_role_ids,
            build=describe_build(self.settings),
            limit_bytes=self.settings.cache_bytes,
            shared=self.settings.open_statistics,
        )

    def _find_role_ids(self, stamp: str, codes: Iterable[str]) -> frozenset[int] | None:
        """Ids of roles as of an epoch, None where that is not the one in memory or one is new."""
        catalogue = self.catalogue.known(stamp)
        if catalogue is None:
            return None
        found = [catalogue.roles.find(code) for code in codes]
        known = frozenset(role.id for role in found if role is not None)
        return known if None not in found else None


async def _services(request: Request) -> Services:
    # Not a plain function: those run in a thread, which costs more than this does.
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]

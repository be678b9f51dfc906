"""What routes ask for. Sessions are opened by the handler itself, so that a request which fails
earlier takes no connection, and a write is committed before its answer leaves."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from app.core.cursors import Cursors
from app.core.database import Database
from app.settings import Settings
from app.taxonomies.catalogue import CatalogueCache


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of one process, made once at start."""

    settings: Settings
    database: Database
    catalogue: CatalogueCache
    cursors: Cursors = field(init=False)

    def __post_init__(self) -> None:
        # How the fields of a frozen dataclass are set from one another.
        object.__setattr__(self, "cursors", Cursors(self.database))


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]

"""What an import stands on: taxonomies, rates, secrets, and the source that its profile brings."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from app.core.database import WriteSession
from app.core.errors import ConfidentialSource, NotAllowed, Refused, UnknownValue
from app.core.installation import read_secret
from app.core.versions import advance_epoch
from app.dependencies import Services
from app.domain.dates import parse_interval
from app.domain.vocabulary import RECURRENCES, SOURCE_KINDS
from app.ingest.fields import Kind
from app.ingest.options import ImportOptions
from app.ingest.rules import SourceSpec
from app.ingest.writing import SourceGroups
from app.rates.current import load_rate_table
from app.taxonomies.catalogue import Catalogue, Dimension, SourceEntry

if TYPE_CHECKING:
    from app.ingest.meanings import Meanings
    from app.rates.pricing import RateTable

_ADD_SOURCE = text(
    "INSERT INTO sources (code, name, kind, confidential, recurrence, licence, url)"
    " VALUES (:code, :name, :kind, :confidential, :recurrence, :licence, :url)"
    " ON CONFLICT (code) DO NOTHING RETURNING id"
)
TRIAL_SOURCE_ID: Final = -1
"""A dry run's source that does not exist yet."""


@dataclass(frozen=True)
class Ground:
    """Everything that validation looks things up in, as of the start of the import."""

    catalogue: Catalogue
    rates: "RateTable"
    identity_secret: bytes
    employer_secret: bytes

    @property
    def groups(self) -> SourceGroups:
        sources = list(self.catalogue.sources)
        return SourceGroups(
            frozenset(source.id for source in sources if source.confidential),
            frozenset(source.id for source in sources if source.demo),
        )

    @property
    def has_span_sources(self) -> bool:
        """Whether some source holds postings that are seen again."""
        return any(source.recurrence == RECURRENCES["span"] for source in self.catalogue.sources)

    def source_id(self, options: ImportOptions) -> int:
        """The source that the request or the profile names, 0 where only the rows do."""
        code = options.source or (options.profile.source.code if options.profile.source else None)
        return 0 if code is None else self.catalogue.sources.get(code).id

    def meanings(self, options: ImportOptions, *, admin: bool) -> "dict[Kind, Meanings]":
        from app.ingest.meanings import Meanings

        today = datetime.now(UTC).date()
        return {
            kind: Meanings(kind, self.catalogue, today, options.create_roles, admin)
            for kind in options.profile.kinds
        }


async def build_ground(services: Services, options: ImportOptions, *, admin: bool) -> Ground:
    """Look everything up, and make the profile's source where it is missing.

    Raises UnknownValue, ConfidentialSource and Refused (422) for what the request itself names.
    """
    async with services.database.read() as session:
        catalogue, _ = await services.catalogue.current(session)
    spec = options.profile.source
    if spec is not None and catalogue.sources.find(spec.code) is None:
        catalogue = await _with_source(services, catalogue, spec, dry_run=options.dry_run)
    _check(options, catalogue, admin=admin)
    async with services.database.write() as session:
        identity = await read_secret(session, "identity")
        employer = await read_secret(session, "employer")
        rates = await load_rate_table(session, services.settings.base_currency)
    return Ground(catalogue, rates, identity, employer)


async def _with_source(
    services: Services, catalogue: Catalogue, spec: SourceSpec, *, dry_run: bool
) -> Catalogue:
    if dry_run:
        entry = SourceEntry(
            id=TRIAL_SOURCE_ID,
            code=spec.code,
            name=spec.name,
            kind=SOURCE_KINDS[spec.kind],
            confidential=spec.confidential,
            demo=False,
            recurrence=RECURRENCES[spec.recurrence],
            licence=spec.licence,
            url=spec.url,
        )
        return replace(catalogue, sources=Dimension("source", [*catalogue.sources, entry]))
    async with services.database.write() as session:
        await add_source(session, spec)
    async with services.database.read() as session:
        catalogue, _ = await services.catalogue.current(session)
    return catalogue


async def add_source(session: WriteSession, spec: SourceSpec) -> None:
    """Make a source; one of that code that is there already stays as it is."""
    made = await session.scalar(
        _ADD_SOURCE,
        {
            **spec.model_dump(),
            "kind": SOURCE_KINDS[spec.kind],
            "recurrence": RECURRENCES[spec.recurrence],
        },
    )
    if made is not None:
        await advance_epoch(session)


def _check(options: ImportOptions, catalogue: Catalogue, *, admin: bool) -> None:
    if options.source is not None:
        named = catalogue.sources.get(options.source)
        if named.confidential and not admin:
            raise NotAllowed(
                f"{options.source} is confidential: the answer to a write tells what is stored, "
                "which is for admins only.",
                scope="admin",
            )
        if named.confidential and (options.create_roles or options.profile.kinds != ("salary",)):
            raise ConfidentialSource(
                f"{options.source} is confidential: create_roles, demand records and benchmarks "
                "are refused for it.",
                parameter="source",
            )
    if options.observed_on is not None:
        try:
            parse_interval(options.observed_on)
        except ValueError as error:
            raise UnknownValue(
                f"observed_on: {error}.", code="invalid_date", parameter="observed_on"
            ) from None
    if options.batch is not None and len(options.batch) > MAX_BATCH:
        raise Refused(
            f"batch has more than {MAX_BATCH} characters.", code="invalid_value", parameter="batch"
        )


MAX_BATCH: Final = 500

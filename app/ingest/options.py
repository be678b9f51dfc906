"""What is asked of one import, the same for every door."""

from dataclasses import dataclass
from functools import cached_property
from uuid import uuid4

from app.ingest.fields import Kind
from app.ingest.media import MediaType
from app.ingest.profiles import Profile


@dataclass(frozen=True)
class ImportOptions:
    """One write. `source` and `observed_on` are for rows that state none.

    `batch` tells rows without an `external_id` from those of other imports; None rejects them,
    unless the write is `single`: then they belong to it alone.
    `abort`: write all rows or none. `whole`: read the whole body before anything is written, and
    write it in one transaction.
    """

    media_type: MediaType
    profile: Profile
    source: str | None = None
    observed_on: str | None = None
    batch: str | None = None
    idempotency_key: str | None = None
    create_roles: bool = False
    dry_run: bool = False
    abort: bool = False
    whole: bool = False
    single: bool = False
    bytes_total: int | None = None

    @cached_property
    def identity_batch(self) -> str | None:
        """What the keys of rows without an `external_id` are made with."""
        return self.batch or (f"request {uuid4()}" if self.single else None)

    @property
    def kind(self) -> Kind:
        """The first kind of rows that the profile gives."""
        return self.profile.kinds[0]

    @cached_property
    def complete_profile(self) -> Profile:
        """The profile with what the request says of all rows."""
        return self.profile.with_defaults(source=self.source, observed_on=self.observed_on)

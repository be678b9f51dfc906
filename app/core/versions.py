"""Data versions: what an answer was computed from, and what a write advances."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import WriteSession

_READ = text(
    "SELECT e.epoch, e.stamp,"
    " (SELECT coalesce(sum(version), 0)::bigint FROM role_versions) AS roles FROM epoch e"
)
# Rows are locked in key order, at the end of the transaction, so that writers never deadlock here.
_ADVANCE = text(
    "INSERT INTO role_versions (role_id, version)"
    " SELECT id, 1 FROM unnest(CAST(:roles AS int[])) AS id ORDER BY id"
    " ON CONFLICT (role_id) DO UPDATE SET version = role_versions.version + 1"
)
_ADVANCE_EPOCH = text("UPDATE epoch SET epoch = epoch + 1, stamp = gen_random_uuid()")


@dataclass(frozen=True, slots=True)
class DataVersion:
    """The state of all public data, comparable as text."""

    epoch: int
    stamp: str
    roles: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.stamp[:8]}-{self.roles}"


async def read_version(session: AsyncSession) -> DataVersion:
    """The data version of the session's snapshot."""
    row = (await session.execute(_READ)).one()
    return DataVersion(row.epoch, str(row.stamp), row.roles)


async def advance_roles(session: WriteSession, role_ids: Iterable[int]) -> None:
    """Count one more version for each role. Call last in the transaction."""
    roles = sorted(set(role_ids))
    if roles:
        await session.execute(_ADVANCE, {"roles": roles})


async def advance_epoch(session: WriteSession) -> None:
    """Say that something changed which every answer may depend on. Call last."""
    await session.execute(_ADVANCE_EPOCH)

"""Data versions: what an answer was computed from, and what a write advances."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import WriteSession

CHANNEL: Final = "payband_versions"
"""Where committed writes are told: `roles 5=17 9=3` (a role's id and its version), `epoch` or
`all` (too many roles to name)."""

READ_VERSIONS: Final = (
    "SELECT e.epoch, e.stamp::text AS stamp, coalesce(s.places_sound, false) AS places_sound,"
    " coalesce(s.merges, 0) AS merges, r.ids, r.versions, r.unsound"
    " FROM epoch e LEFT JOIN rollup_state s ON s.single,"
    " LATERAL (SELECT coalesce(array_agg(role_id), '{}') AS ids,"
    " coalesce(array_agg(version), '{}') AS versions,"
    " coalesce(array_agg(role_id) FILTER (WHERE version <> cells_version), '{}') AS unsound"
    " FROM role_versions) AS r"
)
"""One row: what `versions_of` takes."""
_READ: Final = text(READ_VERSIONS)
# Rows are locked in key order, at the end of the transaction, so that writers never deadlock here.
_ADVANCE: Final = text(
    "WITH advanced AS (INSERT INTO role_versions (role_id, version, cells_version)"  # noqa: S608 - names of ours
    " SELECT id, 1, 1 FROM unnest(CAST(:roles AS int[])) AS id ORDER BY id"
    " ON CONFLICT (role_id) DO UPDATE SET version = role_versions.version + 1,"
    " cells_version = role_versions.cells_version + 1 RETURNING role_id, version),"
    " told AS (SELECT string_agg(role_id || '=' || version, ' ') AS roles FROM advanced)"
    f" SELECT pg_notify('{CHANNEL}', CASE WHEN length(roles) < 7900 THEN 'roles ' || roles"
    " ELSE 'all' END) FROM told"
)
_ADVANCE_EPOCH: Final = text(
    "WITH advanced AS (UPDATE epoch SET epoch = epoch + 1, stamp = gen_random_uuid()"  # noqa: S608 - names of ours
    f" RETURNING epoch) SELECT pg_notify('{CHANNEL}', 'epoch') FROM advanced"
)


@dataclass(frozen=True, slots=True)
class DataVersion:
    """The state of the data that an answer depends on, comparable as text.

    `roles` is the sum of the versions of its roles. Each only grows, so that the sum tells apart
    all states that were ever read. What is put together from notifications that overtook one
    another may share its sum with another state; the next poll, within a second, ends that.

    `unsound`: 1 where cells of a role may not be used, plus 2 where the rollups of places may not.
    What an answer says is exact depends on it; which data it is of does not.
    """

    epoch: int
    stamp: str
    roles: int
    unsound: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.epoch}-{self.stamp[:8]}-{self.roles}"


@dataclass(frozen=True, slots=True)
class Versions:
    """The state of all public data in one snapshot.

    `unsound` are roles whose cells are behind their records, `places_sound` whether the rollups of
    places are not; `merges` grows whenever rollups change.
    """

    epoch: int
    stamp: str
    roles: Mapping[int, int]
    unsound: frozenset[int]
    places_sound: bool
    merges: int = 0

    def of(self, role_ids: Iterable[int] | None = None) -> DataVersion:
        """The version of answers that depend on those roles; None: on all."""
        if role_ids is None:
            counted, unsound = sum(self.roles.values()), bool(self.unsound)
        else:
            ids = set(role_ids)
            if not ids:
                return DataVersion(self.epoch, self.stamp, 0)
            counted = sum(self.roles.get(role_id, 0) for role_id in ids)
            unsound = not self.unsound.isdisjoint(ids)
        mark = unsound + 2 * (not self.places_sound)
        return DataVersion(self.epoch, self.stamp, counted, mark)


async def read_versions(session: AsyncSession) -> Versions:
    """The versions of the session's snapshot."""
    return versions_of((await session.execute(_READ)).mappings().one())


async def read_version(session: AsyncSession) -> DataVersion:
    """The data version of everything in the session's snapshot."""
    return (await read_versions(session)).of()


def versions_of(row: RowMapping | Mapping[str, Any]) -> Versions:
    """Versions from the row of READ_VERSIONS."""
    return Versions(
        epoch=row["epoch"],
        stamp=row["stamp"],
        roles=dict(zip(row["ids"], row["versions"], strict=True)),
        unsound=frozenset(row["unsound"]),
        places_sound=row["places_sound"],
        merges=row["merges"],
    )


async def advance_roles(session: WriteSession, role_ids: Iterable[int]) -> None:
    """Count one more version for each role. Call last in the transaction.

    The cells of what was written are written already (app/cells/writing.py).
    """
    roles = sorted(set(role_ids))
    if roles:
        await session.execute(_ADVANCE, {"roles": roles})


async def advance_epoch(session: WriteSession) -> None:
    """Say that something changed which every answer may depend on. Call last."""
    await session.execute(_ADVANCE_EPOCH)

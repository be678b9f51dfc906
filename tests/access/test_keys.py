"""API keys: their text, their life, and what they open."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from app.access.authenticator import KEEP_S, Authenticator
from app.access.key_text import hash_key, make_key, parse_key
from app.access.keys import create_key, ensure_admin_key, list_keys, revoke_key
from app.access.scopes import Scope
from app.core.database import Database
from app.core.errors import NotAuthenticated, NotFound, PaybandError, Refused, UnknownValue
from app.tables import ApiKey, AuditEntry


def test_a_key_carries_its_id_and_a_checksum() -> None:
    key_id, key = make_key()
    assert parse_key(key) == key_id
    assert key.startswith(f"pb_{key_id}_")


@pytest.mark.parametrize("position", [4, 20, -1])
def test_a_mistyped_key_is_told_by_its_checksum(position: int) -> None:
    _, key = make_key()
    letters = list(key)
    letters[position] = "a" if letters[position] != "a" else "b"
    assert parse_key("".join(letters)) is None


@pytest.mark.parametrize("text", ["", "x", "pb__", "pb_" + "a" * 200, "\ud800", "pb_é"])
def test_any_other_text_is_no_key(text: str) -> None:
    assert parse_key(text) is None


async def test_only_the_hash_of_a_key_is_stored(database: Database) -> None:
    async with database.write() as session:
        key_id, key = await create_key(session, "loader", ["records:write"])
    async with database.read() as session:
        row = (await session.execute(text("SELECT api_keys::text FROM api_keys"))).scalar_one()
        stored = await session.get(ApiKey, key_id)
        trail = (await session.scalars(select(AuditEntry))).all()
    assert key not in row
    assert stored is not None
    assert stored.secret_hash == hash_key(key)
    assert [(entry.actor, entry.action) for entry in trail] == [("command-line", "key.create")]
    assert key not in str(trail[0].details)


async def test_a_key_holds_until_it_is_revoked(database: Database) -> None:
    now = [0.0]
    authenticator = Authenticator(database, clock=lambda: now[0])
    async with database.write() as session:
        key_id, key = await create_key(session, "loader", ["records:write"])
        _, other = await create_key(session, "loader", ["records:write"])
    caller = await authenticator.verify(key)
    assert (caller.id, caller.scopes) == (key_id, frozenset({Scope.RECORDS_WRITE}))
    async with database.write() as session:
        assert await revoke_key(session, key_id)
        assert not await revoke_key(session, key_id)
    now[0] += KEEP_S
    with pytest.raises(NotAuthenticated) as refused:
        await authenticator.verify(key)
    assert refused.value.problem_code == "revoked_key"
    assert (await authenticator.verify(other)).may(Scope.RECORDS_WRITE)


async def test_an_expired_key_says_so_only_to_who_holds_it(database: Database) -> None:
    async with database.write() as session:
        key_id, key = await create_key(
            session, "old", ["admin"], datetime.now(UTC) + timedelta(days=1)
        )
        await session.execute(text("UPDATE api_keys SET expires_at = now() - interval '1 s'"))
    authenticator = Authenticator(database)
    with pytest.raises(NotAuthenticated) as refused:
        await authenticator.verify(key)
    assert refused.value.problem_code == "expired_key"
    with pytest.raises(NotAuthenticated) as refused:
        await authenticator.verify(forged(key_id))
    assert refused.value.problem_code == "invalid_key"


def forged(key_id: str) -> str:
    """A well-formed key text with that id and a secret of our own."""
    from app.access import key_text

    body = f"pb_{key_id}_{'A' * key_text.SECRET_LENGTH}"
    return body + key_text._checksum(body)


async def test_unknown_and_wrong_keys_get_the_same_answer(database: Database) -> None:
    async with database.write() as session:
        key_id, _ = await create_key(session, "loader", ["admin"])
    authenticator = Authenticator(database)
    answers = set()
    for key in (forged(key_id), forged("0123456789")):
        with pytest.raises(NotAuthenticated) as refused:
            await authenticator.verify(key)
        answers.add((refused.value.problem_code, refused.value.detail))
    assert len(answers) == 1


async def test_last_use_is_recorded_apart_from_requests(database: Database) -> None:
    async with database.write() as session:
        await create_key(session, "idle", ["stats:read"])
        _, key = await create_key(session, "busy", ["stats:read"])
    authenticator = Authenticator(database)
    await authenticator.verify(key)
    async with database.read() as session:
        assert not any(info.last_used_at for info in await list_keys(session))
    await authenticator.record_use()
    async with database.read() as session:
        used = {info.name: info.last_used_at is not None for info in await list_keys(session)}
    assert used == {"idle": False, "busy": True}


@pytest.mark.parametrize(
    ("name", "scopes", "expires_at", "error"),
    [
        ("x", ["record:write"], None, UnknownValue),
        ("x", ["public"], None, UnknownValue),
        ("x", [], None, Refused),
        (" ", ["admin"], None, Refused),
        ("x", ["admin"], datetime(2020, 1, 1, tzinfo=UTC), Refused),
    ],
)
async def test_a_key_that_makes_no_sense_is_not_made(
    database: Database,
    name: str,
    scopes: list[str],
    expires_at: datetime | None,
    error: type[PaybandError],
) -> None:
    async with database.write() as session:
        with pytest.raises(error):
            await create_key(session, name, scopes, expires_at)


async def test_revoking_an_unknown_key_is_an_error(database: Database) -> None:
    async with database.write() as session:
        with pytest.raises(NotFound):
            await revoke_key(session, "nothing")


async def ensure(database: Database, path: Path) -> bool:
    async with database.write() as session:
        return await ensure_admin_key(session, path)


async def test_the_admin_key_is_made_once_and_for_its_owner_only(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "admin.key"
    assert await ensure(database, path)
    assert not await ensure(database, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (await Authenticator(database).verify(path.read_text().strip())).is_admin
    assert [file.name for file in path.parent.iterdir()] == ["admin.key"]


async def test_a_key_file_of_another_database_is_replaced(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "admin.key"
    path.write_text(make_key()[1])
    path.chmod(0o644)
    assert await ensure(database, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (await Authenticator(database).verify(path.read_text().strip())).is_admin


async def test_a_lost_key_file_is_replaced_and_the_lost_key_ended(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "admin.key"
    await ensure(database, path)
    lost = path.read_text().strip()
    path.unlink()
    assert await ensure(database, path)
    with pytest.raises(NotAuthenticated):
        await Authenticator(database).verify(lost)


async def test_an_admin_key_that_was_revoked_stays_revoked(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "admin.key"
    await ensure(database, path)
    async with database.write() as session:
        await revoke_key(session, str(parse_key(path.read_text().strip())))
    assert not await ensure(database, path)

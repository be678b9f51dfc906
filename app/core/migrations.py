"""Schema migrations: safe when two run at once, and never waiting for ever on a lock."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

from app.core.errors import StaleSchema, WrongSetting
from app.tables import Epoch

FOLDER: Final = Path(__file__).resolve().parents[2] / "migrations"
# An arbitrary constant: whoever migrates this product holds it.
LOCK: Final = 0x5061_7962_616E_64
LOCK_TIMEOUT_S: Final = 5


async def upgrade(url: str, revision: str = "head") -> str:
    """Bring the schema to `revision` and return it. A second one running at once waits."""
    await run_alembic(url, lambda command, config: command.upgrade(config, revision))
    return head_revision()


async def run_alembic(url: str, act: Callable[[Any, Any], object]) -> None:
    """Call `act(alembic.command, config)` on a connection that holds the migration lock."""
    engine = create_async_engine(make_url(url), isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as guard, engine.connect() as plain:
            await guard.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
            connection = await plain.execution_options(isolation_level="READ COMMITTED")
            await connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'"))
            await connection.commit()
            await connection.run_sync(_act, act)
            await connection.commit()
    finally:
        await engine.dispose()


def _act(connection: Connection, act: Callable[[Any, Any], object]) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    act(command, config)


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return config


@cache
def head_revision() -> str:
    """The revision that this build works with."""
    from alembic.script import ScriptDirectory

    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise StaleSchema(f"no migrations were found in {FOLDER}")
    return head


async def current_revision(session: AsyncSession | AsyncConnection) -> str | None:
    """The revision of the database, None where nothing was migrated yet."""
    exists = await session.scalar(text("SELECT to_regclass('alembic_version')"))
    if exists is None:
        return None
    found: str | None = await session.scalar(text("SELECT version_num FROM alembic_version"))
    return found


async def check_base_currency(session: AsyncSession, base_currency: str) -> None:
    """Raise WrongSetting where the stored annual amounts are in another base currency."""
    stored = await session.scalar(select(Epoch.base_currency))
    if stored is not None and stored != base_currency:
        raise WrongSetting(
            f"PAYBAND_BASE_CURRENCY is {base_currency} and this database holds annual amounts in "
            f"{stored}; set it to {stored}, or use an empty database"
        )


async def check_schema(session: AsyncSession) -> None:
    """Raise StaleSchema unless the database is at the head revision."""
    found, head = await current_revision(session), head_revision()
    if found != head:
        raise StaleSchema(
            f"the database is at schema {found or 'none'} and this build needs {head}; "
            "run `payband migrate`"
        )

"""What `payband compact` does."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from app.cells.keeping import count_unmerged
from app.core.database import Database
from app.core.errors import Conflict, Unavailable

WAIT_S: Final = 0.5
TURNS: Final = 600
"""How often a turn is waited for: five minutes."""


class _Outcome(Protocol):
    @property
    def entries(self) -> int: ...
    @property
    def busy(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked on the command line."""

    rebuild: bool = False
    check: bool = False


async def compact_all(database: Database, asked: Asked, console: Console) -> None:
    """Merge, rebuild or check, and say what was done.

    Raises Conflict if a check finds differences, Unavailable if others are at work all the time.
    """
    if asked.check:
        await _check(database, console)
        return
    if asked.rebuild:
        await _rebuild(database, console, everything=True)
    merged = await _merge(database, console)
    if not asked.rebuild:
        await _rebuild(database, console, everything=False)
    console.print(f"{merged:,} entries merged")


async def _merge(database: Database, console: Console) -> int:
    from app.cells.compaction import compact

    total = (await count_unmerged(database)).entries
    merged = 0
    with _progress(console) as progress:
        task = progress.add_task("entries", total=total)
        while done := await _in_turn(lambda: compact(database)):
            merged += done
            progress.update(task, completed=merged, total=max(total, merged))
    return merged


async def _rebuild(database: Database, console: Console, *, everything: bool) -> None:
    from app.cells.rebuilding import all_roles, rebuild_places, rebuild_role, unsound_roles

    roles = await (all_roles if everything else unsound_roles)(database)
    entries = 0
    with _progress(console) as progress:
        for role_id in progress.track(roles, description="roles"):
            entries += await _in_turn(lambda role_id=role_id: rebuild_role(database, role_id))  # type: ignore[misc]
    if everything or not (await count_unmerged(database)).places_sound:
        with console.status("rollups of places"):
            await _in_turn(lambda: rebuild_places(database))
    if roles:
        console.print(f"{len(roles):,} roles rebuilt from {entries:,} records")


async def _in_turn(act: Callable[[], Awaitable[_Outcome]]) -> int:
    """The entries of what is done, once nobody else replaces cells."""
    for _ in range(TURNS):
        outcome = await act()
        if not outcome.busy:
            return outcome.entries
        await asyncio.sleep(WAIT_S)
    raise Unavailable("Another process replaces cells all the time; try again later.")


async def _check(database: Database, console: Console) -> None:
    from app.cells.checking import check_places, check_role
    from app.cells.rebuilding import all_roles

    roles = await all_roles(database)
    wrong: list[str] = []
    with _progress(console) as progress:
        for role_id in progress.track(roles, description="roles"):
            wrong += _named(f"role {role_id}", await check_role(database, role_id))
    wrong += _named("rollups of places", await check_places(database))
    for line in wrong:
        console.print(line)
    if wrong:
        raise Conflict(
            f"{len(wrong)} of {len(roles) + 1} differ; `payband compact --rebuild` makes them anew"
        )
    console.print(f"{len(roles):,} roles and the rollups of places are what the records say")


def _named(name: str, found: str | None) -> Iterable[str]:
    return [] if found is None else [f"{name}: {found}"]


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )

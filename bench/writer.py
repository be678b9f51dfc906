"""A process that writes one batch of records every second through the import pipeline.

`Writer` starts it; it tells when it is ready, waits for a line, and in the end tells when each of
its batches was committed.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event

from app.access.caller import COMMAND_LINE
from app.core.database import Database
from app.dependencies import Services
from app.taxonomies.catalogue import CatalogueCache
from bench.generate import salaries
from bench.service import ROOT, bare_environment
from bench.stage import Stage, read_codes

READY: Final = "ready"
FIRST_ROW: Final = 1_000_000_000
"""Far from the rows that are loaded already."""
ADVANCES: Final = ("INTO role_versions", "UPDATE role_versions")


@dataclass(frozen=True, slots=True)
class Batches:
    """`count` batches of `rows` rows over the roles of those places, one every `every_s`.

    Places are those of `read_codes`, the role with most records first.

    `first_row` numbers their external ids: known ones would be corrections.
    """

    url: str
    folder: str
    count: int
    rows: int
    roles: Sequence[int]
    every_s: float
    first_row: int = FIRST_ROW


class Writer:
    """The process, from outside."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def start(self) -> None:
        """Begin to write."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def commits(self) -> list[float]:
        """When batches were committed (`time.monotonic`). Raises RuntimeError where one failed."""
        said, errors = self._process.communicate(timeout=120)
        if self._process.returncode:
            raise RuntimeError(f"the writer failed: {errors[-2000:]}")
        commits: list[float] = json.loads(said)
        return commits


@contextmanager
def writing(batches: Batches) -> Iterator[Writer]:
    """The process, ready to start."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, json.dumps(asdict(batches))],
        env=bare_environment(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != READY:
            raise RuntimeError(f"the writer failed: {process.communicate()[1][-2000:]}")
        yield Writer(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def note_commits(database: Database) -> list[float]:
    """The moments just before COMMIT of the transactions that advance versions, as they come."""
    commits: list[float] = []
    advanced: set[int] = set()

    def executed(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if any(part in statement for part in ADVANCES):
            advanced.add(id(connection))

    def committing(connection: Any) -> None:
        if id(connection) in advanced:
            advanced.discard(id(connection))
            commits.append(time.monotonic())

    event.listen(database.engine.sync_engine, "before_cursor_execute", executed)
    event.listen(database.engine.sync_engine, "commit", committing)
    return commits


async def _write(batches: Batches) -> list[float]:
    stage = Stage(batches.url, Path(batches.folder), 0)
    async with stage.database() as database:
        codes = await read_codes(database)
        codes = replace(codes, roles=tuple(codes.roles[place] for place in batches.roles))
        services = Services(stage.settings, database, CatalogueCache())
        files = [
            salaries(batches.first_row + number * batches.rows, batches.rows, codes)
            .write_csv()
            .encode()
            for number in range(batches.count + 1)
        ]
        # The first one loads what the pipeline needs.
        await _import(services, files[0], "first")
        commits = note_commits(database)
        print(READY, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        started = time.monotonic()
        for number, file in enumerate(files[1:]):
            await asyncio.sleep(max(0.0, started + number * batches.every_s - time.monotonic()))
            await _import(services, file, str(number))
    return commits


async def _import(services: Services, file: bytes, name: str) -> None:
    from app.ingest.importer import Importer
    from app.ingest.media import media_type_of_name
    from app.ingest.options import ImportOptions
    from app.ingest.profiles import Profile

    async def body() -> AsyncIterator[bytes]:
        yield file

    name = f"batch-{name}.csv"
    options = ImportOptions(media_type_of_name(name), Profile.identity("salary"), batch=name)
    outcome = await Importer(services, options, COMMAND_LINE).run(body())
    if outcome.error is not None:
        raise outcome.error


def main() -> None:
    batches = Batches(**json.loads(sys.argv[1]))
    print(json.dumps(asyncio.run(_write(batches))))


if __name__ == "__main__":
    main()

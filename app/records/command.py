"""What `payband export` does."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from app.core.database import Database
from app.core.errors import NotFound, Refused
from app.records.export import FORMATS, ExportPage, export_records
from app.statistics.filters import FilterParameters, RecordTable, parse_filters
from app.tables import DemandRecord, SalaryRecord
from app.taxonomies.catalogue import CatalogueCache

KINDS: Final[dict[str, RecordTable]] = {"salary": SalaryRecord, "demand": DemandRecord}


@dataclass(frozen=True, slots=True)
class Exported:
    """How many records were written, and how many of them have no external_id."""

    records: int
    without_id: int

    def plus(self, page: ExportPage) -> "Exported":
        """With the records of one more page."""
        return Exported(self.records + page.records, self.without_id + page.without_id)


async def export_file(database: Database, path: Path, kind: str, source: str | None) -> Exported:
    """Write the public records to `path`. The file appears when it is whole.

    Raises Refused for a kind or ending that is not known, NotFound where the folder is missing,
    ConfidentialSource for a confidential source.
    """
    form = path.suffix.removeprefix(".")
    if kind not in KINDS or form not in FORMATS:
        raise Refused("The kind is salary or demand, and the file ends in .csv or .ndjson.")
    filters = parse_filters(FilterParameters(source=source), datetime.now(UTC).date())
    with _whole(path) as file:
        async with database.read() as session:
            catalogue, _ = await CatalogueCache().current(session)
            written = Exported(0, 0)
            pages = export_records(session, catalogue, KINDS[kind], filters, form)
            async for page in pages:
                file.write(page.content)
                written = written.plus(page)
    return written


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when all of it is written."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        os.replace(part, path)
    except OSError as error:
        raise NotFound(f"{path} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)

"""Importing a file through the pipeline that every door uses."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.access.caller import COMMAND_LINE
from app.core.database import Database
from app.dependencies import Services
from app.ingest.importer import Importer
from app.ingest.media import media_type_of_name
from app.ingest.options import ImportOptions
from app.ingest.profiles import load_profile
from app.settings import Settings
from app.taxonomies.catalogue import CatalogueCache

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("PAYBAND_TEST_DATA", REPOSITORY.parent / "shared" / "data"))


def data_file(name: str) -> Path:
    """A file of the real data; the test is skipped, with the reason, where it is absent."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not there; PAYBAND_TEST_DATA names the folder of the real data")
    return path


async def import_file(
    settings: Settings, database: Database, path: Path, profile: str
) -> dict[str, Any]:
    """The report of importing a file with a shipped profile."""
    services = Services(settings, database, CatalogueCache())
    options = ImportOptions(media_type_of_name(path.name), load_profile(profile), batch=path.name)
    outcome = await Importer(services, options, COMMAND_LINE).run(_blocks(path))
    return outcome.report


async def _blocks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            yield block

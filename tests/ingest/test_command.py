"""`payband import`: the same pipeline, with a summary for people."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from app.core.database import Database
from app.core.errors import AllRowsRejected, InvalidBody, Refused, UnsupportedType
from app.ingest.command import FileImport, import_file
from app.settings import Settings
from tests.ingest.conftest import Count, csv_of, salary


async def _import(settings: Settings, database: Database, asked: FileImport) -> str:
    out = io.StringIO()
    await import_file(settings, database, asked, Console(file=out, width=100))
    return out.getvalue()


async def test_a_file_and_its_summary(
    settings: Settings, database: Database, sources: None, count: Count, tmp_path: Path
) -> None:
    path = tmp_path / "pay [2025].csv"
    rows = [salary(external_id=None) for _ in range(3)]
    path.write_bytes(csv_of(*rows, salary(amount="85k"), salary(level="wizard")))
    shown = await _import(settings, database, FileImport(path, dry_run=True))
    assert "dry run" in shown
    assert await count("salary_records") == 0
    shown = await _import(settings, database, FileImport(path))
    for expected in ("pay [2025].csv", "received", "invalid_number", "without unit", "wizard"):
        assert expected in shown
    assert await count("salary_records") == 4
    # The file's name is its batch: the same file changes nothing, another one does.
    await _import(settings, database, FileImport(path))
    assert await count("salary_records") == 4
    other = path.rename(tmp_path / "other.csv")
    await _import(settings, database, FileImport(other))
    assert await count("salary_records") == 7
    assert await count("audit_log WHERE actor = 'command-line'") == 4


async def test_a_profile_by_path(
    settings: Settings, database: Database, count: Count, tmp_path: Path
) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'kind = "salary"\n'
        'source = { code = "mine", name = "Mine", kind = "reported" }\n'
        '[columns]\nregion = "land"\namount = "pay"\n'
        '[constants]\ncurrency = "EUR"\nobserved_on = 2025\n'
    )
    file = tmp_path / "a.csv"
    file.write_text("land,pay\nDE,60000\nDE,60000\n")
    await _import(settings, database, FileImport(file, str(profile)))
    assert await count("salary_records") == 2


async def test_what_cannot_be_imported_says_why(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with pytest.raises(InvalidBody, match="no such file"):
        await _import(settings, database, FileImport(tmp_path / "nowhere.csv"))
    path = tmp_path / "a.csv"
    path.write_bytes(csv_of(salary()))
    with pytest.raises(Refused, match="salary"):
        await _import(settings, database, FileImport(path, kind="salery"))
    with pytest.raises(Refused, match="ai_jobs"):
        await _import(settings, database, FileImport(path, profile="ai-jobs"))
    with pytest.raises(UnsupportedType, match="parquet"):
        await _import(settings, database, FileImport(path.rename(tmp_path / "a.xlsx")))


async def test_every_row_rejected_is_a_failure(
    settings: Settings, database: Database, sources: None, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_of(salary(amount=1)))
    with pytest.raises(AllRowsRejected):
        await _import(settings, database, FileImport(path))

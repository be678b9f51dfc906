"""The command line as its users meet it."""

import asyncio
import csv
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

import app.cli
from app.core.errors import PaybandError

HEADER = (
    "source,external_id,title,level,region,amount_min,amount_max,currency,observed_on,employer\n"
)
ROWS = (
    "survey,a1,Senior Django Developer,,US-CA-SFO,150000.50,170000,USD,2026-03-02,Acme\n"
    'survey,a2,"=cmd|calc",mid,DE,70000,70000,EUR,2025-11,\n'
    "survey,a3,Data Engineer,,GB,,90000,GBP,2024,\n"
)

Payband = Callable[..., Result]


@pytest.fixture
def payband(database_url: str, emptied: None, monkeypatch: pytest.MonkeyPatch) -> Payband:
    """Runs a command on the test database."""
    monkeypatch.setenv("PAYBAND_DATABASE_URL", database_url)

    def run(*words: str) -> Result:
        return CliRunner().invoke(app.cli.cli, list(words))

    return run


@pytest.fixture
def salaries(tmp_path: Path, database_url: str, payband: Payband) -> Path:
    """A file whose source exists."""
    asyncio.run(add_source(database_url))
    path = tmp_path / "salaries.csv"
    path.write_text(HEADER + ROWS)
    return path


async def add_source(url: str, code: str = "survey") -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute(
        f"INSERT INTO sources (code, name, kind) VALUES ('{code}', 'Survey', 1);"
        "UPDATE epoch SET epoch = epoch + 1, stamp = gen_random_uuid()"
    )
    await connection.close()


def test_every_command_has_help_with_an_example(payband: Payband) -> None:
    words = [["serve"], ["migrate"], ["demo"], ["import"], ["export"], ["openapi"], ["release"]]
    words += [["keys", word] for word in ("create", "list", "revoke")]
    words += [["titles", word] for word in ("match", "rematch", "unmatched")]
    words += [["rates", word] for word in ("import", "show")]
    for command in words:
        shown = payband(*command, "--help")
        assert shown.exit_code == 0
        assert "Example: " in shown.stdout, command


def test_a_key_is_shown_once_and_revoked(payband: Payband) -> None:
    made = payband("keys", "create", "nightly", "--scope", "records:write", "--days", "9")
    assert made.exit_code == 0
    key = made.stdout.strip()
    key_id = made.stderr.split()[1].rstrip(";")
    listed = payband("keys", "list")
    assert key_id in listed.stdout
    assert key not in listed.stdout
    assert payband("keys", "revoke", key_id).stdout == "revoked\n"
    assert "before" in payband("keys", "revoke", key_id).stdout


def test_scopes_may_be_separated_by_commas(payband: Payband) -> None:
    scopes = ["--scope", "records:read, stats:read", "--scope", "records:write"]
    assert payband("keys", "create", "loader", *scopes).exit_code == 0
    listed = " ".join(payband("keys", "list").stdout.replace("│", " ").split())
    assert all(scope in listed for scope in ("records:read", "stats:read", "records:write"))


def test_an_unknown_scope_names_the_nearest(payband: Payband) -> None:
    failed = payband("keys", "create", "nightly", "--scope", "record:write")
    assert isinstance(failed.exception, PaybandError)
    assert "records:write" in failed.exception.detail


@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_what_is_exported_can_be_imported_again(
    payband: Payband, salaries: Path, ending: str
) -> None:
    assert payband("import", str(salaries)).exit_code == 0
    written = salaries.with_name(f"all.{ending}")
    assert "records written" in payband("export", str(written), "--source", "survey").stdout
    rows = {row["external_id"]: row for row in read(written)}
    assert set(rows) == {"a1", "a2", "a3"}
    first = rows["a1"]
    assert str(first["amount_min"]) in ("150000.50", "150000.5")
    assert first["role"] in ("", None), "the title says it, and an import works it out again"
    assert re.fullmatch("hash:[0-9a-f]{16}", first["employer"])
    assert rows["a3"]["employer"] in ("", None)
    again = payband("import", str(written))
    assert again.exit_code == 0, again.stdout
    assert " unchanged    │ 3 " in again.stdout


@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_an_export_restores_what_was_deleted(
    payband: Payband, salaries: Path, database_url: str, ending: str
) -> None:
    payband("import", str(salaries))
    stored = asyncio.run(stored_records(database_url))
    written = salaries.with_name(f"all.{ending}")
    payband("export", str(written))
    asyncio.run(delete_records(database_url))
    assert " inserted     │ 3 " in payband("import", str(written)).stdout
    assert asyncio.run(stored_records(database_url)) == stored
    assert [title for title, _ in stored][1] == "=cmd|calc"
    assert [employer is None for _, employer in stored] == [False, True, True]


async def stored_records(url: str) -> list[tuple[str, int | None]]:
    """Title and employer's key of each record, by external_id."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    rows = await connection.fetch(
        "SELECT t.text, r.employer_key FROM salary_records r JOIN titles t ON t.id = r.title_id"
        " ORDER BY r.external_id"
    )
    await connection.close()
    return [tuple(row) for row in rows]


async def delete_records(url: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute("DELETE FROM salary_records; DELETE FROM salary_identities")
    await connection.close()


def test_records_without_an_id_are_pointed_out(payband: Payband, salaries: Path) -> None:
    payband("import", str(salaries))
    written = salaries.with_name("all.csv")
    assert "external_id" not in payband("export", str(written)).stdout
    salaries.write_text(HEADER + ROWS.replace("a1", "").replace("a2", ""))
    payband("import", str(salaries))
    shown = payband("export", str(written)).stdout
    assert "2 records have no external_id: importing this file would add them again" in shown


def test_several_sources_are_exported(payband: Payband, salaries: Path, database_url: str) -> None:
    asyncio.run(add_source(database_url, "panel"))
    payband("import", str(salaries))
    salaries.write_text(HEADER + ROWS.replace("survey", "panel"))
    payband("import", str(salaries))
    written = salaries.with_name("all.ndjson")
    for words in (["--source", "survey", "--source", "panel"], ["--source", "survey,panel"]):
        assert payband("export", str(written), *words).exit_code == 0
        assert Counter(row["source"] for row in read(written)) == {"survey": 3, "panel": 3}
    payband("export", str(written), "--source", "panel")
    assert {row["source"] for row in read(written)} == {"panel"}


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open() as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_exported_formula_is_harmless(payband: Payband, salaries: Path) -> None:
    payband("import", str(salaries))
    written = salaries.with_name("all.csv")
    payband("export", str(written), "--source", "survey")
    titles = {row["title"] for row in read(written)}
    assert "'=cmd|calc" in titles
    assert "=cmd|calc" not in titles


def test_an_export_that_cannot_be_written_leaves_nothing(payband: Payband, tmp_path: Path) -> None:
    failed = payband("export", str(tmp_path / "no" / "all.csv"))
    assert isinstance(failed.exception, PaybandError)
    assert payband("export", str(tmp_path / "all.xls")).exception is not None
    assert list(tmp_path.iterdir()) == []


def test_titles_without_a_role_are_listed(payband: Payband, salaries: Path) -> None:
    assert "every title" in payband("titles", "unmatched").stdout
    more = "survey,a4,Wizard [of] Oz,,GB,80000,90000,GBP,2024,\n"
    salaries.write_text(HEADER + ROWS + more + more.replace("a4", "a5"))
    payband("import", str(salaries))
    lines = payband("titles", "unmatched").stdout.splitlines()
    shown = [line.strip("│ ").split(" │ ") for line in lines if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in shown] == [
        ["2", "Wizard [of] Oz"],
        ["1", "=cmd|calc"],
    ]
    assert "cmd" not in payband("titles", "unmatched", "--limit", "1").stdout


def test_a_title_is_explained(payband: Payband) -> None:
    shown = payband("titles", "match", "Sr. Django Engineer").stdout
    assert "role django-developer, level senior" in shown


def test_the_openapi_document_is_printed(payband: Payband) -> None:
    assert "/v1/salaries/statistics" in json.loads(payband("openapi").stdout)["paths"]


@pytest.mark.parametrize(
    ("variable", "value", "status"),
    [("PAYBAND_PORT", "eighty", 2), ("PAYBAND_DATABASE_URL", "postgresql://127.0.0.1:9/x", 1)],
)
def test_failures_are_one_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    status: int,
) -> None:
    monkeypatch.setenv("PAYBAND_DATABASE_URL", "postgresql://unused")
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr("sys.argv", ["payband", "keys", "list"])
    with pytest.raises(SystemExit) as ended:
        app.cli.main()
    assert ended.value.code == status
    shown = capsys.readouterr().err
    assert shown.startswith("payband: ")
    assert shown.count("\n") == 1


def test_price_indices_are_loaded_and_shown(payband: Payband, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("Date,Index\n2024-01-01,300\n2024-02-01,310.5\n")
    loaded = payband("rates", "import", str(path))
    assert loaded.exit_code == 0
    assert "profile us_cpi" in loaded.stdout
    shown = " ".join(payband("rates", "show", "us", "--kind", "cpi").stdout.split())
    assert "2024-02 │ 310.5" in shown
    wrong = payband("rates", "import", str(path), "--kind", "parity")
    assert isinstance(wrong.exception, PaybandError)
    assert "line 1: the header has no Description, GeoFIPS" in wrong.exception.detail
    unknown = payband("rates", "import", str(path), "--profile", "uk_cpi")
    assert isinstance(unknown.exception, PaybandError)
    assert "Nearest: us_cpi" in unknown.exception.detail

"""Settings: documented as they are, and wrong ones named."""

from dataclasses import fields
from pathlib import Path

import pytest

from app.core.errors import WrongSetting
from app.settings import MEGABYTE, Settings, build_settings

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def documented() -> dict[str, tuple[str, str]]:
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in DOCS.read_text().splitlines()
        if line.startswith("| `PAYBAND_")
    ]
    return {row[0].strip("`"): (row[1].strip("`"), row[2]) for row in rows}


def shown(name: str, default: object) -> str:
    if default is None:
        return "unset"
    if isinstance(default, bool):
        return str(default).lower()
    in_megabytes = name.endswith(("_limit", "_bytes")) and name != "cell_entries_limit"
    if in_megabytes and isinstance(default, int):
        return str(default // MEGABYTE)
    return str(default)


def test_the_documented_table_is_the_code() -> None:
    in_code = {
        "PAYBAND_" + item.name.upper(): (shown(item.name, item.default), item.metadata["about"])
        for item in fields(Settings)
    }
    assert documented() == in_code


def test_an_empty_environment_gives_the_defaults() -> None:
    assert build_settings({}) == Settings()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PAYBAND_PORT": "eighty"}, ["PAYBAND_PORT", "eighty", "1 to 65535"]),
        ({"PORT": "0"}, ["PORT", "1 to 65535"]),
        ({"PAYBAND_PROT": "80"}, ["PAYBAND_PROT", "PAYBAND_PORT"]),
        ({"PAYBAND_BASE_CURRENCY": "dollar"}, ["PAYBAND_BASE_CURRENCY", "ISO 4217"]),
        ({"PAYBAND_DATABASE_URL": "mysql://me:secret@x/y"}, ["PAYBAND_DATABASE_URL"]),
        ({"PAYBAND_LOG_LEVEL": ""}, ["PAYBAND_LOG_LEVEL", "empty"]),
        ({"PAYBAND_POOL_SIZE": "2"}, ["PAYBAND_HEAVY_QUERIES", "PAYBAND_POOL_SIZE"]),
    ],
)
def test_a_wrong_setting_says_which_and_why(environment: dict[str, str], words: list[str]) -> None:
    with pytest.raises(WrongSetting) as raised:
        build_settings(environment)
    assert all(word in raised.value.detail for word in words)
    assert "secret" not in raised.value.detail


def test_a_plain_postgresql_url_is_understood() -> None:
    settings = build_settings({"PAYBAND_DATABASE_URL": "postgresql://u@h/d"})
    assert settings.database_url == "postgresql+asyncpg://u@h/d"

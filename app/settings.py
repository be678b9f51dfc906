"""One frozen `Settings`, read from `PAYBAND_*` by a function and never at import."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from app.core.errors import WrongSetting
from app.domain.nearest import nearest

PREFIX: Final = "PAYBAND_"
MEGABYTE: Final = 1_000_000


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError(f"a whole number from {low} to {high}") from None
        if not low <= number <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return number

    return parse


def _fraction(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"a number from {low:g} to {high:g}") from None
        if not low <= number <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return number

    return parse


def _boolean(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in words:
        raise ValueError("true or false")
    return words[text.lower()]


def _choice(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError("one of " + ", ".join(words))
        return text

    return parse


def _currency(text: str) -> str:
    if len(text) != 3 or not text.isascii() or not text.isupper():
        raise ValueError("an ISO 4217 code such as USD")
    return text


def _database_url(text: str) -> str:
    for scheme in ("postgresql+asyncpg://", "postgresql://", "postgres://"):
        if text.startswith(scheme):
            return "postgresql+asyncpg://" + text.removeprefix(scheme)
    raise ValueError("a url such as postgresql://user:password@host:5432/payband")


def _megabytes(low: int, high: int) -> Callable[[str], int]:
    whole = _whole(low, high)
    return lambda text: whole(text) * MEGABYTE


def _setting(default: Any, parse: Callable[[str], Any], about: str) -> Any:
    return field(default=default, metadata={"parse": parse, "about": about})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, with its default. The environment name is `PAYBAND_` + the upper-case name.

    docs/settings.md holds the same table; a test compares the two.
    """

    database_url: str | None = _setting(
        None, _database_url, "PostgreSQL 15 or newer; unset: a private server in the data folder"
    )
    listen_url: str | None = _setting(
        None,
        _database_url,
        "the same database, where notifications come from; unset: the url of the database. Needed "
        "where that is a pooler's",
    )
    data_dir: Path = _setting(
        Path(".payband"), Path, "folder of the private server, the admin key and temporary files"
    )
    host: str = _setting("127.0.0.1", str, "address to listen on")
    port: int = _setting(8000, _whole(1, 65535), "port to listen on; `PORT` is read as well")
    base_currency: str = _setting("USD", _currency, "currency of annual amounts (ISO 4217)")
    open_statistics: bool = _setting(True, _boolean, "statistics can be read without a key")
    demo: bool = _setting(True, _boolean, "load the synthetic demo data with the private server")
    body_limit: int = _setting(
        16 * MEGABYTE, _megabytes(1, 1024), "largest body of a records request, in MB"
    )
    discard_limit: int = _setting(
        64 * MEGABYTE, _megabytes(0, 4096), "how much more is read and dropped before a 413, in MB"
    )
    spool_limit: int = _setting(
        2048 * MEGABYTE, _megabytes(1, 65536), "largest Parquet file that is imported, in MB"
    )
    pool_size: int = _setting(8, _whole(1, 200), "database connections of one process")
    pool_timeout_s: int = _setting(2, _whole(1, 30), "wait for a free connection, in s")
    cache_bytes: int = _setting(
        64 * MEGABYTE, _megabytes(0, 65536), "memory of answers that are kept, in MB; 0: none are"
    )
    log_answers: int = _setting(
        1000,
        _whole(0, 1_000_000),
        "of so many requests answered from memory one is logged; 0: none",
    )
    max_listeners: int = _setting(
        2000, _whole(0, 100_000), "streams of /v1/events that one process keeps open"
    )
    rate_limit: int = _setting(
        0, _whole(0, 10_000_000), "requests of one key, or address, in a minute; 0: no limit"
    )
    statement_timeout_s: int = _setting(30, _whole(1, 3600), "limit of one reading statement, in s")
    connect_timeout_s: int = _setting(5, _whole(1, 60), "limit of opening a connection, in s")
    heavy_queries: int = _setting(4, _whole(1, 100), "aggregates that run at once in one process")
    compact_entries: int = _setting(
        50_000,
        _whole(0, 100_000_000),
        "entries of cells that wait to be merged before that is done; 0: never by the service",
    )
    compact_every_s: int = _setting(
        60, _whole(1, 86_400), "they are merged as well after this time, in s"
    )
    exact_records: int = _setting(
        200_000,
        _whole(0, 100_000_000),
        "records up to which questions about all roles are exact; of more, amounts may be within "
        "0.5 %",
    )
    cell_entries_limit: int = _setting(
        4_000_000,
        _whole(10_000, 1_000_000_000),
        "entries of cells read for one answer, some 100 bytes of memory each; with more the "
        "records answer",
    )
    graceful_shutdown_s: int = _setting(
        20, _whole(1, 600), "time for requests to end at SIGTERM, in s"
    )
    log_level: str = _setting(
        "info", _choice("debug", "info", "warning", "error"), "least severity that is logged"
    )
    log_format: str = _setting("json", _choice("json", "text"), "form of a log line")
    release_min_records: int = _setting(
        5, _whole(3, 1000), "records that a published node of a release has at least"
    )
    release_min_employers: int = _setting(5, _whole(3, 1000), "employers that it has at least")
    release_max_share: float = _setting(
        0.25, _fraction(0.01, 0.5), "largest share of its records that one employer may have"
    )
    release_quartile_records: int = _setting(
        10, _whole(5, 1000), "records from which p25, p75 and the mean are published"
    )
    release_tail_records: int = _setting(
        20, _whole(10, 10_000), "records from which p10 and p90 are published"
    )
    release_tail_employers: int = _setting(
        10, _whole(3, 1000), "employers from which p10 and p90 are published"
    )
    release_count_step: int = _setting(
        5, _whole(1, 1000), "what counts of records and employers are rounded to"
    )
    release_money_step: int = _setting(
        1000, _whole(1, 100_000), "what yearly amounts are rounded to, in the base currency"
    )
    release_alike_mass: float = _setting(
        0.4, _fraction(0.1, 1), "two published percentiles that enclose such a share of a node ..."
    )
    release_alike_gap: float = _setting(
        0.05,
        _fraction(0, 1),
        "... and are closer to each other than this part of the lower hide it",
    )

    @property
    def release_policy(self) -> dict[str, int | float]:
        """The numbers that decide what a release shows, as `app.domain.disclosure.Policy` and
        `/v1/status` name them."""
        return {
            item.name.removeprefix("release_"): getattr(self, item.name)
            for item in fields(self)
            if item.name.startswith("release_")
        }


def build_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment.

    Raises WrongSetting naming the variable, what is wrong with it and what would be right.
    """
    environment = os.environ if environment is None else environment
    known = {PREFIX + item.name.upper(): item for item in fields(Settings)}
    values: dict[str, Any] = {}
    if environment.get("PORT"):
        values["port"] = _parsed("PORT", environment["PORT"], known["PAYBAND_PORT"].metadata)
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name.startswith(PREFIX + "TEST_"):
            continue
        if name not in known:
            hint = " or ".join(nearest(name, known)) or "docs/settings.md"
            raise WrongSetting(f"{name} is not a setting of Payband; did you mean {hint}?")
        values[known[name].name] = _parsed(name, text, known[name].metadata)
    settings = Settings(**values)
    _check_together(settings)
    return settings


def _parsed(name: str, text: str, metadata: Mapping[str, Any]) -> Any:
    if not text.strip():
        raise WrongSetting(f"{name} is empty; unset it, or give it a value")
    try:
        return metadata["parse"](text.strip())
    except ValueError as error:
        shown = "what it holds" if "URL" in name else repr(text[:80])
        raise WrongSetting(f"{name} must be {error}, not {shown}") from None


def _check_together(settings: Settings) -> None:
    if settings.heavy_queries >= settings.pool_size:
        raise WrongSetting(
            f"PAYBAND_HEAVY_QUERIES ({settings.heavy_queries}) must be smaller than "
            f"PAYBAND_POOL_SIZE ({settings.pool_size}), so that other requests find a connection"
        )

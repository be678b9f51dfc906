"""What the rules of the data say of single rows."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.core.database import Database
from tests.ingest.conftest import demand, salary

SALARIES = "/v1/salaries/records"
DEMAND = "/v1/demand/records"
BENCHMARKS = "/v1/benchmarks"


async def _errors(writer: httpx.AsyncClient, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    response = await writer.post(SALARIES, json=rows)
    assert response.status_code in (200, 422), response.text
    errors: list[dict[str, Any]] = response.json()["errors"]
    return errors


Wrong = tuple[dict[str, Any], str, str, str]
"""What makes a good row a wrong one, the field and code of its error, and part of its message."""

WRONG_SALARIES: list[Wrong] = [
    ({"amount": "NaN"}, "amount", "invalid_number", "no number"),
    ({"amount": "inf"}, "amount", "invalid_number", "no number"),
    ({"amount": -5}, "amount", "number_not_positive", "more than zero"),
    ({"amount": 0}, "amount", "number_not_positive", "more than zero"),
    ({"amount": "0.00"}, "amount", "number_not_positive", "more than zero"),
    ({"amount": "1e308"}, "amount", "number_out_of_bounds", "15 digits"),
    ({"amount": "9" * 400}, "amount", "number_out_of_bounds", "15 digits"),
    ({"amount": "1,234.56"}, "amount", "invalid_number", "thousands separators"),
    ({"amount": "85 000"}, "amount", "invalid_number", "thousands separators"),
    ({"amount": "37,85"}, "amount", "invalid_number", "decimal point"),
    ({"amount": "$85000"}, "amount", "invalid_number", "currency sign"),
    ({"amount": "much"}, "amount", "invalid_number", "no number"),
    ({"amount": True}, "amount", "invalid_number", "no number"),
    ({"amount": 37.85}, "amount", "amount_out_of_bounds", "pay_period=hour"),
    ({"amount": 20_000_000}, "amount", "amount_out_of_bounds", "10,000,000"),
    ({"amount": 90_000, "pay_period": "hour"}, "amount", "amount_out_of_bounds", "hour"),
    ({"amount": None}, "amount", "missing_value", "amount_min"),
    ({"amount": None, "amount_min": 9, "amount_max": 8}, "amount_min", "min_above_max", ""),
    (
        {"amount": None, "amount_min": 60_000, "amount_max": 60_000_000},
        "amount_max",
        "amount_out_of_bounds",
        "60000000 a year",
    ),
    ({"amount_min": 80_000}, "amount", "amount_and_range", "either"),
    ({"fte": 1.2}, "fte", "invalid_fte", "at most 1"),
    ({"fte": 0}, "fte", "number_not_positive", "more than zero"),
    ({"currency": "AUD/NZD"}, "currency", "unknown_currency", "AUD or NZD"),
    ({"currency": "US Dollar"}, "currency", "unknown_currency", "nearest"),
    ({"currency": "TRL"}, "currency", "currency_redenominated", "TRY"),
    ({"currency": "ROL"}, "currency", "currency_redenominated", "RON"),
    ({"currency": "DEM"}, "currency", "currency_ceased", "EUR"),
    ({"currency": None}, "currency", "missing_value", "currency"),
    ({"pay_period": "yaer"}, "pay_period", "unknown_pay_period", "year"),
    ({"pay_period": "unspecified"}, "pay_period", "unknown_pay_period", "year"),
    ({"employment_type": "fulltime"}, "employment_type", "unknown_employment_type", "full_"),
    ({"work_mode": "remot"}, "work_mode", "unknown_work_mode", "remote"),
    ({"pay_kind": "bonus"}, "pay_kind", "unknown_pay_kind", "base"),
    ({"region": "Atlantis"}, "region", "unknown_region", "nearest"),
    ({"region": "San Fransisco"}, "region", "unknown_region", "US-CA-SFO"),
    ({"region": "unspecified"}, "region", "unknown_region", "nearest"),
    ({"region": None}, "region", "missing_value", "region"),
    ({"source": "acmee"}, "source", "unknown_source", "acme"),
    ({"source": None}, "source", "missing_value", "source"),
    ({"observed_on": "2099-01-01"}, "observed_on", "date_in_future", "after today"),
    ({"observed_on": "2099"}, "observed_on", "date_in_future", "after today"),
    ({"observed_on": "0024"}, "observed_on", "invalid_date", "1900"),
    ({"observed_on": "2025-13"}, "observed_on", "invalid_date", "no month"),
    ({"observed_on": "2025-02-30"}, "observed_on", "invalid_date", "28 days"),
    ({"observed_on": "03/04/2025"}, "observed_on", "invalid_date", "not a date"),
    ({"title": "x" * 501}, "title", "too_long", "500"),
    ({"url": "x" * 2_001}, "url", "too_long", "2,000"),
    ({"employer": "a\0b"}, "employer", "nul_byte", "NUL"),
]
WRONG_DEMAND: list[Wrong] = [
    ({"openings": -1}, "openings", "number_not_positive", ""),
    ({"openings": None}, "openings", "missing_value", ""),
    ({"openings": "some"}, "openings", "invalid_number", ""),
    ({"candidates": -1}, "candidates", "number_not_positive", ""),
    ({"measure": "opened"}, "measure", "unknown_measure", ""),
    ({"measure": None}, "measure", "missing_value", ""),
    ({"skills": ";".join(["a"] * 200)}, "skills", "too_many_skills", ""),
    ({"source": "closed"}, "source", "confidential_source", ""),
]
WRONG_BENCHMARKS: list[Wrong] = [
    ({"soc": "151252"}, "soc", "invalid_soc", ""),
    ({"soc": None}, "role", "missing_value", ""),
    ({"role": "django-develper"}, "role", "unknown_role", ""),
    ({"period": "sometime"}, "period", "invalid_date", ""),
    ({"period": "2099-Q1"}, "period", "date_in_future", ""),
    ({"low": 9, "high": 8}, "low", "min_above_max", ""),
    ({"p50": None}, "mean", "missing_value", ""),
    ({"top_coded": "p95"}, "top_coded", "unknown_top_coded", ""),
    ({"open_ended": "perhaps"}, "open_ended", "invalid_boolean", ""),
    ({"source": "closed"}, "source", "confidential_source", ""),
]


def _benchmark(**fields: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"source": "acme", "soc": "15-1252", "region": "US", "period": "2024-05"}
    row |= {"currency": "USD", "p50": 130_000} | fields
    return {name: value for name, value in row.items() if value is not None}


@pytest.mark.parametrize(
    ("address", "build", "wrong"),
    [
        (SALARIES, salary, WRONG_SALARIES),
        (DEMAND, demand, WRONG_DEMAND),
        (BENCHMARKS, _benchmark, WRONG_BENCHMARKS),
    ],
    ids=["salary", "demand", "benchmark"],
)
async def test_each_wrong_row_is_rejected_with_its_reason(
    writer: httpx.AsyncClient,
    address: str,
    build: Callable[..., dict[str, Any]],
    wrong: list[Wrong],
) -> None:
    rows = [build(), *(build(**fields) for fields, *_ in wrong)]
    report = (await writer.post(address, json=rows)).json()
    assert (report["inserted"], report["rejected"]) == (1, len(wrong)), report["errors"]
    found = {error["row"]: error for error in report["errors"]}
    for row, (fields, field, code, said) in enumerate(wrong, start=2):
        assert (found[row]["field"], found[row]["code"]) == (field, code), (fields, found[row])
        assert said in found[row]["message"], found[row]
    assert len(report["errors"]) == len(wrong)


async def test_lone_surrogates_and_escaped_nul_are_rejected_row_by_row(
    writer: httpx.AsyncClient,
) -> None:
    lines = [json.dumps(salary(external_id=str(i))) for i in range(2)]
    lines += [json.dumps(salary(title="x")).replace('"x"', escape) for escape in (
        r'"\ud800"', r'"\u0000"')]  # fmt: skip
    response = await writer.post(
        SALARIES, content="\n".join(lines), headers={"Content-Type": "application/x-ndjson"}
    )
    report = response.json()
    assert (report["inserted"], report["rejected"]) == (2, 2)
    assert [error["code"] for error in report["errors"]] == ["invalid_text", "nul_byte"]


async def test_amounts_are_kept_as_they_arrived(
    writer: httpx.AsyncClient, database: Database
) -> None:
    body = (
        "source,external_id,region,amount_min,amount_max,currency,pay_period,fte,observed_on\n"
        "acme,1,DE,37.850,41.0000000001,EUR,hour,0.8,2025-03-04\n"
        "acme,2,US,1e5,,USD,,,2025\n"
    )
    response = await writer.post(SALARIES, content=body, headers={"Content-Type": "text/csv"})
    assert response.json()["inserted"] == 2, response.text
    async with database.read() as session:
        rows = (
            await session.execute(
                text(
                    "SELECT amount_min::text, amount_max::text, fte::text, currency, pay_period,"
                    " precision, rate, rate_on::text, annual_low, annual_high, annual_amount"
                    " FROM salary_records ORDER BY external_id"
                )
            )
        ).all()
    hourly, yearly = rows
    assert hourly[:6] == ("37.850", "41.0000000001", "0.8", "EUR", 6, 1)
    assert hourly.rate_on == "2025-03-04"
    # Hours are the same whatever the full-time equivalent.
    assert hourly.annual_low == round(37.85 * 2080 * hourly.rate)
    assert hourly.annual_amount == round((37.85 + 41.0000000001) / 2 * 2080 * hourly.rate)
    assert yearly[:6] == ("100000", None, "1", "USD", 1, 3)
    assert (yearly.annual_low, yearly.annual_high, yearly.annual_amount) == (100_000, None, None)


async def test_a_rate_that_is_not_known_leaves_the_record_pending(
    writer: httpx.AsyncClient, database: Database
) -> None:
    response = await writer.post(
        SALARIES, json=[salary(currency="CLP"), salary(external_id="2", currency="CHF")]
    )
    assert (response.json()["inserted"], response.json()["rate_pending"]) == (2, 1)
    async with database.read() as session:
        row = (
            await session.execute(
                text("SELECT rate_pending, annual_amount, amount_min FROM salary_records"
                     " WHERE currency = 'CLP'")
            )
        ).one()  # fmt: skip
    assert row == (True, None, 90_000)


async def test_unknown_levels_industries_and_roles_warn(writer: httpx.AsyncClient) -> None:
    odd = {"level": "wizard", "industry": "alchemy", "role": "Sr. Django Engineer"}
    rows = [salary(external_id=str(n), **odd) for n in range(3)]
    report = (await writer.post(SALARIES, json=rows)).json()
    assert report["inserted"] == 3
    found = {(w["field"], w["value"], w["code"], w["rows"]) for w in report["warnings"]}
    assert found == {
        ("level", "wizard", "unknown_level", 3),
        ("industry", "alchemy", "unknown_industry", 3),
        ("role", "Sr. Django Engineer", "unknown_role", 3),
    }
    stored = (await writer.get(SALARIES)).json()["data"][0]
    # A role that is no code was read as a title, which gave role and level.
    assert stored["title"] == "Sr. Django Engineer"
    assert (stored["role"], stored["level"]) == ("django-developer", "senior")


async def test_words_are_read_whatever_their_case(writer: httpx.AsyncClient) -> None:
    row = salary(
        level="Sr.",
        employment_type="Full-Time",
        work_mode="REMOTE",
        pay_kind="Total",
        pay_period="Year",
        currency="usd",
        region="San Francisco, CA",
        role="Django-Developer",
    )
    assert (await writer.post(SALARIES, json=row)).json()["inserted"] == 1
    stored = (await writer.get(SALARIES)).json()["data"][0]
    words = ("level", "employment_type", "work_mode", "pay_kind", "region", "role", "currency")
    assert [stored[word] for word in words] == [
        *("senior", "full_time", "remote", "total", "US-CA-SFO", "django-developer", "USD"),
    ]


async def test_sql_and_formulas_are_text(writer: httpx.AsyncClient) -> None:
    odd = ["'; DROP TABLE salary_records; --", "=cmd|' /C calc'!A0", "\\.", 'a"b,c\nd', "{a,b}"]
    rows = [salary(external_id=text_, title=text_) for text_ in odd]
    assert (await writer.post(SALARIES, json=rows)).json()["inserted"] == len(odd)
    stored = (await writer.get(SALARIES)).json()["data"]
    assert {row["external_id"] for row in stored} == set(odd)
    assert {row["title"] for row in stored} == set(odd)


async def test_skills_are_kept_once_each(writer: httpx.AsyncClient) -> None:
    row = demand(skills=["Python", "C++", "python ", 'say "hi"', "a\\b", "{x}"])
    assert (await writer.post(DEMAND, json=row)).json()["inserted"] == 1
    stored = (await writer.get(DEMAND)).json()["data"][0]
    assert stored["skills"] == ["Python", "C++", 'say "hi"', "a\\b", "{x}"]


async def test_employers_are_never_stored_by_name(
    writer: httpx.AsyncClient, database: Database
) -> None:
    names = ["Globex Corporation", "GLOBEX  corporation", "Initech"]
    rows = [salary(external_id=str(i), employer=name) for i, name in enumerate(names)]
    await writer.post(SALARIES, json=rows)
    async with database.read() as session:
        keys = list(
            await session.scalars(
                text("SELECT employer_key FROM salary_records ORDER BY external_id")
            )
        )
        tables = list(
            await session.scalars(
                text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            )
        )
        for table in tables:
            found = await session.scalar(
                text(f"SELECT count(*) FROM {table} t WHERE t::text ILIKE '%globex%'")
            )
            assert found == 0, table
    assert keys[0] == keys[1] != keys[2]


async def test_every_row_rejected_is_422_with_the_report(writer: httpx.AsyncClient) -> None:
    response = await writer.post(SALARIES, json=[salary(amount=1), salary(region="Atlantis")])
    problem = response.json()
    assert response.status_code == 422
    assert problem["code"] == "all_rows_rejected"
    assert (problem["received"], problem["rejected"], problem["inserted"]) == (2, 2, 0)
    assert len(problem["errors"]) == 2
    assert problem["import"] > 0


async def test_a_row_can_have_several_errors(writer: httpx.AsyncClient) -> None:
    errors = await _errors(writer, [salary(), salary(region="Atlantis", currency="XXX", amount=0)])
    assert {error["field"] for error in errors} == {"region", "currency", "amount"}
    assert {error["row"] for error in errors} == {2}


async def test_a_message_names_no_confidential_source(
    writer: httpx.AsyncClient,
) -> None:
    (error,) = await _errors(writer, [salary(), salary(source="close")])
    assert "closed" not in error["message"]

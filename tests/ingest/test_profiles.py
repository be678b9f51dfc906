"""Profiles: what they say, what they do to rows, and how a wrong one is answered."""

import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.core.errors import InvalidBody, Refused
from app.ingest.chunks import ROW, build_chunk
from app.ingest.fields import FIELDS
from app.ingest.media import MediaType
from app.ingest.profiles import (
    Profile,
    load_profile,
    parse_profile,
    shipped_names,
    shipped_profile,
)
from tests.support.reading import read

DATA = Path(__file__).parents[3] / "shared" / "data"
MINIMAL = """
kind = "salary"
[columns]
region = "where"
amount = "pay"
currency = "cur"
observed_on = "on"
source = "src"
"""


def rows_of(*rows: dict[str, str | None]) -> pl.DataFrame:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    return build_chunk(columns, range(1, len(rows) + 1), [], 0).rows


def stated(frame: pl.DataFrame | None) -> list[dict[str, Any]]:
    """Rows without the fields that are null."""
    assert frame is not None
    return [
        {key: value for key, value in row.items() if value is not None} for row in frame.to_dicts()
    ]


def refusal_of(text: str) -> str:
    with pytest.raises(Refused) as caught:
        parse_profile(text, name="mine")
    assert caught.value.problem_code == "invalid_profile"
    return caught.value.detail


def test_the_identity_profile_takes_fields_by_their_names() -> None:
    profile = Profile.identity("salary").with_defaults(source="acme", observed_on=None)
    mapped = profile.apply(rows_of({"amount": "85000.10", "source": None}, {"source": "x"}))
    assert mapped.salary is not None
    assert mapped.salary.columns == [ROW, *FIELDS["salary"]]
    assert stated(mapped.salary) == [
        {ROW: 1, "source": "acme", "amount": "85000.10"},
        {ROW: 2, "source": "x"},
    ]
    assert (mapped.demand, mapped.benchmark, mapped.skipped) == (None, None, 0)


def test_the_identity_profile_checks_the_header() -> None:
    rule = Profile.identity("salary").column_rule()
    rule.check(["source", "region", "amount_max", "currency", "observed_on"])
    with pytest.raises(InvalidBody, match="'source' is needed; present are: region, amount, "):
        rule.check(["region", "amount", "currency", "observed_on"])
    with pytest.raises(InvalidBody, match="no column 'curency'; the nearest are: currency"):
        rule.check(["source", "curency"])
    with_source = Profile.identity("salary").with_defaults(source="a", observed_on="2024")
    with_source.column_rule().check(["region", "amount", "currency"])


def test_mapping_values_scale_constants_and_templates() -> None:
    profile = parse_profile(
        MINIMAL
        + """
level = "grade"
external_id = "{file}/{id}"
[constants]
pay_kind = "base"
level = "mid"
fte = 0.5
[values.level]
A = "entry"
[values.region]
"*" = "US"
"" = "unknown"
DE = "DE"
[scale]
amount = 1000
""",
        name="mine",
    )
    rows = rows_of(
        {"where": "DE", "pay": "85.00010", "grade": " A ", "id": "1", "file": "f"},
        {"where": "XX", "pay": "n/a", "grade": "B", "id": "2", "file": None},
        {"where": None, "pay": "0.3", "grade": None, "id": None, "file": "f"},
    )
    common = {"pay_kind": "base", "fte": "0.5"}
    assert stated(profile.apply(rows).salary) == [
        {ROW: 1, "region": "DE", "amount": "85000.1", "level": "entry", "external_id": "f/1"}
        | common,
        {ROW: 2, "region": "US", "amount": "n/a", "level": "B"} | common,
        {ROW: 3, "region": "unknown", "amount": "300", "level": "mid"} | common,
    ]


def test_conditions_select_rows_and_count_the_others() -> None:
    profile = parse_profile(
        MINIMAL
        + """
[where]
kind = ["a", "b"]
where = { not = "US" }
pay = { empty = false }
""",
        name="mine",
    )
    rows = rows_of(
        {"kind": " a", "where": "DE", "pay": "1"},
        {"kind": "c", "where": "DE", "pay": "1"},
        {"kind": "b", "where": "US", "pay": "1"},
        {"kind": "b", "where": "DE", "pay": None},
        {"kind": None, "where": "DE", "pay": "1"},
        {"kind": "b", "where": None, "pay": "2"},
    )
    mapped = profile.apply(rows)
    assert mapped.salary is not None
    assert mapped.salary[ROW].to_list() == [1, 6]
    assert mapped.skipped == 4


def test_one_row_may_give_a_salary_and_a_demand_record() -> None:
    profile = parse_profile(
        """
[source]
code = "board"
name = "A job board"
kind = "posted"
recurrence = "span"
[columns]
external_id = "id"
region = "place"
observed_on = "day"
[salary.columns]
amount = "pay"
currency = "cur"
[salary.where]
pay = { empty = false }
[demand.columns]
openings = "seats"
[demand.constants]
measure = "new"
""",
        name="board",
    )
    rows = rows_of(
        {"id": "1", "place": "DE", "day": "2024", "pay": "9", "cur": "EUR", "seats": "2"},
        {"id": "2", "place": "FR", "day": "2024", "pay": None, "cur": None, "seats": "3"},
    )
    mapped = profile.apply(rows)
    shared = {"source": "board", "observed_on": "2024"}
    assert profile.kinds == ("salary", "demand")
    assert profile.source is not None
    assert profile.source.recurrence == "span"
    assert stated(mapped.salary) == [
        shared | {ROW: 1, "external_id": "1", "region": "DE", "amount": "9", "currency": "EUR"}
    ]
    assert [row["openings"] for row in stated(mapped.demand)] == ["2", "3"]
    assert mapped.skipped == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind = ", "it is no TOML: "),
        ("kind = 'salaries'", "kind: Input should be 'salary', 'demand' or 'benchmark'"),
        ("title = 'x'", "kind: say 'salary', 'demand' or 'benchmark', or give a section"),
        (MINIMAL + "titel = 'x'", "columns.titel: there is no such field; the nearest are: title"),
        (MINIMAL + "[wher]\na='b'", "wher: there is no such key; the nearest are: where"),
        (MINIMAL + "[scale]\namount='many'", "scale.amount: "),
        (MINIMAL + "[values.level]\nA='b'", "values.level: no column gives the field 'level'"),
        (MINIMAL + "[where]\npay={is='x'}", "where.pay.is: there is no such key"),
        (MINIMAL + "[source]\ncode='A B'\nname='x'\nkind='posted'", "source.code: "),
        (MINIMAL + "[source]\ncode='a'\nname='x'\nkind='other'", "source.kind: "),
        (MINIMAL.replace("currency", "level"), "columns: salary rows need 'currency'"),
        (MINIMAL + "[salary.columns]\nopenings='x'", "salary.columns.openings: there is no such"),
    ],
)
def test_a_wrong_profile_says_which_key_and_why(text: str, said: str) -> None:
    detail = refusal_of(text)
    assert detail.startswith("The profile 'mine' is not valid: ")
    assert said in detail


def test_a_profile_names_the_column_that_a_file_lacks() -> None:
    rule = parse_profile(MINIMAL, name="mine").column_rule()
    rule.check(["src", "where", "pay", "cur", "on", "other"])
    with pytest.raises(InvalidBody, match="'where' is needed; the nearest one present is 'wheer'"):
        rule.check(["src", "wheer", "pay", "cur", "on", "other"])


def test_profiles_travel_as_json() -> None:
    mapping = tomllib.loads(MINIMAL)
    profile = Profile.from_mapping(mapping, name="mine")
    assert profile.document == mapping
    assert profile.column_rule().required == (("cur",), ("on",), ("pay",), ("src",), ("where",))


def test_profiles_are_found_by_name_or_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL, encoding="utf-8")
    assert load_profile(str(path)).name == "mine"
    assert load_profile("jolts").name == "jolts"
    assert shipped_names() == ["ai_jobs", "jolts", "oews"]
    with pytest.raises(Refused, match="no profile 'ai-jobs'; the nearest are: ai_jobs"):
        load_profile("ai-jobs")
    with pytest.raises(Refused, match=r"absent\.toml' cannot be read: No such file"):
        load_profile(str(tmp_path / "absent.toml"))
    with pytest.raises(Refused, match="no profile"):
        shipped_profile("../profile_data/jolts")


def oews_row(**fields: str | None) -> dict[str, str | None]:
    row = dict.fromkeys(shipped_profile("oews").column_rule().required, None)
    return {name: None for (name,) in row} | fields


def test_top_coded_figures_get_their_bound_or_none() -> None:
    rule = "115.00/h or 239200/y"
    other = "not stated in file; max printed 99.93/h, 207850/y"
    rows = rows_of(
        oews_row(pay_period="YEAR", p75="1", p90_flag="topcoded", topcode_rule=rule),
        oews_row(pay_period="HOUR", p75_flag="topcoded", p90_flag="topcoded", topcode_rule=rule),
        oews_row(pay_period="YEAR", p90_flag="topcoded", topcode_rule=other),
        oews_row(pay_period="YEAR", p90="5", topcode_rule=rule),
        oews_row(pay_period="YEAR", p90="5", p90_flag="topcoded", topcode_rule=rule),
    )
    frame = shipped_profile("oews").apply(rows).benchmark
    assert frame is not None
    assert frame.select("p75", "p90", "top_coded").rows() == [
        ("1", "239200", "p90"),
        ("115.00", "115.00", "p75;p90"),
        (None, None, "p90"),
        (None, "5", None),
        (None, "5", "p90"),
    ]


def real(profile: Profile, name: str) -> tuple[pl.DataFrame, int, int]:
    """A real file through a profile: all its rows, how many were skipped, how many were bad."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the public data sets are not beside this clone: {name}")
    found = read(path.read_bytes(), MediaType.CSV, rule=profile.column_rule())
    mapped = [profile.apply(chunk.rows) for chunk in found.chunks]
    frames = [frame for part in mapped for frame in part.frames().values()]
    return pl.concat(frames), sum(part.skipped for part in mapped), len(found.bad)


def test_ai_jobs() -> None:
    frame, skipped, bad = real(shipped_profile("ai_jobs"), "ai_jobs_salaries.csv")
    assert (frame.height, skipped, bad) == (74_301, 0, 0)
    assert stated(frame.head(1)) == [
        {
            ROW: 1,
            "source": "ai-jobs",
            "title": "Consultant",
            "level": "executive",
            "region": "PL",
            "employment_type": "full_time",
            "work_mode": "onsite",
            "pay_kind": "unspecified",
            "amount": "120000",
            "currency": "USD",
            "pay_period": "year",
            "observed_on": "2022",
        }
    ]
    assert set(frame["level"]) == {"entry", "mid", "senior", "executive"}
    assert set(frame["employment_type"]) == {"full_time", "part_time", "contract"}
    assert set(frame["work_mode"]) == {"onsite", "hybrid", "remote"}


def test_jolts_takes_the_states_only() -> None:
    frame, skipped, bad = real(shipped_profile("jolts"), "jolts_job_openings.csv")
    assert (frame.height, skipped, bad) == (51 * 261, 43_326 - 51 * 261, 0)
    assert frame["external_id"].n_unique() == frame.height
    assert frame["region"].str.starts_with("US-").all()
    june = frame.filter(pl.col("observed_on") == "2022-06")
    assert june.height == 51
    assert june["openings"].cast(pl.Int64).sum() == 11_040_000
    assert set(frame["measure"]) == {"open"}


def test_oews_national_and_metro() -> None:
    profile = shipped_profile("oews")
    frame, skipped, bad = real(profile, "oews_may_2024_national.csv")
    assert (frame.height, skipped, bad) == (1_644, 0, 0)
    assert set(frame["region"]) == {"US"}
    assert set(frame["pay_period"]) == {"hour", "year"}
    assert frame.select("soc", "region", "period", "pay_period").is_unique().all()
    chief = frame.filter((pl.col("soc") == "11-1011") & (pl.col("pay_period") == "year"))
    assert chief.select("p50", "p75", "p90", "top_coded", "rse", "period").row(0) == (
        *("206420.0", "239200", "239200", "p75;p90", "0.009", "2024-05"),
    )
    metro, skipped, bad = real(profile, "oews_may_2017_metro.csv")
    assert (metro.height, skipped, bad) == (7_611, 0, 0)
    assert metro["region"].n_unique() == 11
    assert metro.filter(pl.col("top_coded").is_not_null())["p90"].null_count() > 0
    assert metro.select("soc", "region", "period", "pay_period").is_unique().all()

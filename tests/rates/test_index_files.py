"""Reading files of price indices, the real ones and bad ones."""

from datetime import date
from statistics import mean

import pytest

from app.core.errors import InvalidBody, UnknownValue
from app.rates.index_files import IndexTable, parse_indices, read_header
from app.rates.index_profiles import (
    find_index_profile,
    get_index_profile,
    parse_index_profile,
    shipped_index_profiles,
)
from app.taxonomies.seed import seed_regions
from tests.support.importing import data_file

TODAY = date(2026, 6, 15)
PARITY = b"""GeoFIPS,GeoName,LineCode,Description,Unit,2022,2023
 "00000","United States",4,"RPPs: Goods ","Index",99.9,98.7
 "00000","United States",5,"RPPs: All items ","Index",100.000,100.000
 "06000","California",5,"RPPs: All items ","Index",112.484,111.9
"Note: See the included footnote file."
"U.S. Bureau of Economic Analysis"
"""
CPI = b"""Date,Index,Inflation
1913-01-01,9.8,
2026-06-01,335.123,0.63
"""


def parity(content: bytes) -> IndexTable:
    return parse_indices(content, get_index_profile("bea_rpp_state"), TODAY)


def cpi(content: bytes) -> IndexTable:
    return parse_indices(content, get_index_profile("us_cpi"), TODAY)


def test_the_form_of_a_table_with_a_column_for_each_year() -> None:
    table = parity(PARITY)
    assert table.values == {
        ("US", date(2022, 1, 1)): 100.0,
        ("US", date(2023, 1, 1)): 100.0,
        ("US-CA", date(2022, 1, 1)): 112.484,
        ("US-CA", date(2023, 1, 1)): 111.9,
    }
    assert (table.lines, table.skipped) == (2, 3)


def test_the_form_of_a_table_with_a_line_for_each_month() -> None:
    table = cpi(CPI)
    assert table.values == {("US", date(1913, 1, 1)): 9.8, ("US", date(2026, 6, 1)): 335.123}
    assert cpi(CPI.replace(b"-01,", b",", 1)) == table, "a month may be written without a day"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + PARITY,
        PARITY.replace(b"\n", b"\r\n"),
        PARITY + b"\n\n",
        PARITY.replace(b' "', b'"'),
        PARITY.replace(b'"00000","United States",4', b'"72000","Elsewhere",4'),
    ],
    ids=["byte order mark", "crlf", "empty lines", "no stray space", "region of another table"],
)
def test_harmless_differences(content: bytes) -> None:
    assert parity(content) == parity(PARITY)


def test_a_value_that_was_not_published_is_no_index() -> None:
    assert len(parity(PARITY.replace(b"112.484", b"(NA)")).values) == 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "line 1: the header has no Description, GeoFIPS"),
        (CPI, "line 1: the header has no Description, GeoFIPS, a column for each year"),
        (PARITY.replace(b"2022,2023", b"a,b"), "no a column for each year"),
        (PARITY.replace(b"2022,2023", b"2023,2023"), "line 1: the column 2023 stands there twice"),
        (PARITY.replace(b"2022", b"2027"), "line 1, column 2027: 2027-01-01 is after"),
        (PARITY.replace(b"All items", b"All"), "no indices in lines with Description = 'RPPs: All"),
        (PARITY.replace(b"112.484,111.9", b"112.484"), "line 4: 6 fields where the header has 7"),
        (PARITY.replace(b"112.484", b"112.484,1"), "line 4: 8 fields where the header has 7"),
        (PARITY.replace(b"112.484", b""), "line 4, column 2022: '' is not an index above 0"),
        (PARITY.replace(b"112.484", b"x"), "line 4, column 2022: 'x' is not an index above 0"),
        (PARITY.replace(b"112.484", b"-1"), "line 4, column 2022"),
        (PARITY.replace(b"112.484", b"0.00"), "line 4, column 2022"),
        (PARITY.replace(b"112.484", b"inf"), "line 4, column 2022"),
        (PARITY.replace(b"112.484", b"1e2"), "line 4, column 2022"),
        (PARITY.replace(b'"06000"', b'"72000"'), "line 4, column GeoFIPS: '72000' is no region"),
        (PARITY.replace(b'"06000"', b'"00000"'), "line 4: US 2022-01-01 stands in the file twice"),
        (PARITY.replace(b'"Note:', b'"Surprise:'), "line 5: 1 fields where the header has 7"),
        (PARITY.replace(b"Goods ", b"G\xe9"), "byte .* is not UTF-8"),
        (PARITY.replace(b'"RPPs: All items ","Index",112', b'"RPPs: All'), "cannot be read as CSV"),
    ],
)
def test_a_bad_table_is_refused_with_the_place(content: bytes, says: str) -> None:
    with pytest.raises(InvalidBody, match=says):
        parity(content)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (CPI.replace(b"335.123,0.63", b"335.123"), "line 3: 2 fields where the header has 3"),
        (CPI.replace(b"1913-01-01", b"1913-13-01"), "line 2, column Date: .*no month 13"),
        (CPI.replace(b"1913-01-01", b"1913-01-02"), "line 2, column Date: .*is not a month"),
        (CPI.replace(b"1913-01-01", b"1913"), "line 2, column Date: '1913' is not a month"),
        (CPI.replace(b"1913-01-01", b"2026-06"), "line 3: US 2026-06-01 stands in the file twice"),
        (CPI.replace(b"2026-06-01", b"2026-07-01"), "line 3, column Date: 2026-07-01 is after"),
        (CPI.replace(b"9.8", b"N/A"), "line 2, column Index: 'N/A' is not an index"),
        (b"Date,Index,Index\n2026-01-01,1,1\n", "line 1: the column Index stands there twice"),
        (b"Date,Index\n", "no indices below its header"),
        (b"Date,USD,\n2026-04-13,1.1,\n", "line 1: the header has no Index"),
    ],
)
def test_a_bad_series_is_refused_with_the_place(content: bytes, says: str) -> None:
    with pytest.raises(InvalidBody, match=says):
        cpi(content)


def test_files_say_what_they_are() -> None:
    for content, name in ((PARITY, "bea_rpp_state"), (CPI, "us_cpi")):
        found = find_index_profile(read_header(content))
        assert found is not None
        assert found.name == name
        assert find_index_profile(read_header(content), found.kind) == found
    assert find_index_profile(read_header(PARITY), "cpi") is None
    assert find_index_profile(read_header(b"Date,USD,\n")) is None
    assert find_index_profile(read_header(b'"\x00\n')) is None


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(UnknownValue, match="Nearest: us_cpi") as refused:
        get_index_profile("uk_cpi")
    assert refused.value.problem_code == "unknown_profile"


def test_a_profile_says_where_periods_stand() -> None:
    broken = 'title = "t"\nkind = "cpi"\ncountry = "US"\n[columns]\nvalue = "v"\n'
    with pytest.raises(ValueError, match="a period and a value column"):
        parse_index_profile(broken, "broken")


def test_the_shipped_profiles_name_regions_that_exist() -> None:
    codes = {region.code for region in seed_regions()}
    for profile in shipped_index_profiles():
        assert {profile.country, *profile.regions.values()} <= codes
    states = get_index_profile("bea_rpp_state").regions
    assert len(set(states.values())) == len(states) == 52
    assert states["36000"] == "US-NY"


def test_the_real_parities() -> None:
    table = parity(data_file("bea_rpp_state.csv").read_bytes())
    assert len(table.regions) == 52
    assert [period.year for period in table.periods] == list(range(2008, 2024))
    assert len(table.values) == 52 * 16
    assert table.skipped == 520 - 52 + 4
    assert {table.values["US", period] for period in table.periods} == {100.0}
    assert table.values["US-CA", date(2008, 1, 1)] == 111.187
    # They are about an average of 100: a column that slipped would not be.
    assert 90 < mean(table.values.values()) < 105


def test_the_real_prices() -> None:
    table = cpi(data_file("us_cpi.csv").read_bytes())
    assert len(table.values) == 1360 == table.lines
    assert table.values["US", date(1913, 1, 1)] == 9.8
    assert table.values["US", date(2026, 5, 1)] == 335.123
    assert ("US", date(2025, 10, 1)) not in table.values, "the BLS published none"

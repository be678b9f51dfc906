"""Region texts to region codes, on the seeded regions."""

import csv
import os
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.places import Place, PlaceIndex, fold_place
from app.taxonomies.seed import seed_regions

DATA = Path(os.environ.get("PAYBAND_DATA") or Path(__file__).parents[3] / "shared" / "data")


@cache
def seeded_places() -> PlaceIndex:
    return PlaceIndex(seed_regions())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("US", "US"),
        (" us ", "US"),
        ("USA", "US"),
        ("us-ca", "US-CA"),
        ("US_CA", "US-CA"),
        ("us-ca-sfo", "US-CA-SFO"),
        ("41860", "US-CA-SFO"),
        ("71650", "US-MA-BOS"),
        ("UK", "GB"),
        ("United States", "US"),
        ("U.S.A.", "US"),
        ("Deutschland", "DE"),
        ("Korea, Republic of", "KR"),
        ("south korea", "KR"),
        ("TURKIYE", "TR"),
        ("Cote d'Ivoire", "CI"),
        ("Comunidad de Madrid", "ES-MD"),
        ("Catalonia", "ES-CT"),
        ("NYC", "US-NY-NYC"),
        ("Bay Area", "US-CA-SFO"),
        ("San Francisco, CA", "US-CA-SFO"),
        ("San Francisco CA", "US-CA-SFO"),
        ("Austin, Texas", "US-TX-AUS"),
        ("Austin (Texas), USA", "US-TX-AUS"),
        ("New York, NY, USA", "US-NY-NYC"),
        ("Washington, D.C.", "US-DC-WAS"),
        ("Birmingham, AL", "US-AL-BHM"),
        ("Durham, NC", "US-NC-DUR"),
        ("Toronto, CA", "CA-ON-TOR"),
        ("Berlin, Germany", "DE-BE"),
        ("Berlin metropolitan area", "DE-BE-BER"),
        ("Greater Seattle Area", "US-WA-SEA"),
        ("Bengaluru, India", "IN-KA-BLR"),
        ("London, England, United Kingdom", "GB-ENG-LON"),
        ("CA, US", "US-CA"),
        ("Remote - US", "US"),
        ("Punjab, India", "IN-PB"),
        ("Portland-Vancouver-Hillsboro, OR-WA", "US-OR-PDX"),
        ("Louisville/Jefferson County, KY-IN", "US-KY-SDF"),
        ("Kansas City, MO-KS", "US-MO-MKC"),
        ("Minneapolis-St. Paul-Bloomington, MN-WI", "US-MN-MSP"),
    ],
)
def test_texts_people_write(text: str, code: str) -> None:
    match = seeded_places().match(text)
    assert match.code == code, match.why
    assert match.confidence > 0
    assert match.code in match.why


@pytest.mark.parametrize(
    "text",
    ["Paris, TX", "Cambridge, MA", "Dublin, OH", "Europe", "Remote", "TX", "unspecified", "-", ""],
)
def test_a_place_that_is_not_known_is_not_guessed(text: str) -> None:
    match = seeded_places().match(text)
    assert (match.code, match.confidence) == (None, 0.0)
    assert match.why


def test_georgia_is_the_country_unless_it_is_inside_another() -> None:
    alone = seeded_places().match("Georgia")
    assert alone.code == "GE"
    assert "country before subdivision" in alone.why
    assert "US-GA" in alone.why
    inside = seeded_places().match("Georgia, US")
    assert inside.code == "US-GA"
    assert inside.confidence > alone.confidence


def test_several_subdivisions_of_one_name_are_not_decided() -> None:
    match = seeded_places().match("Punjab")
    assert match.code is None
    assert "IN-PB" in match.why
    assert "PK-PB" in match.why


def test_an_alias_claims_a_text_among_regions_named_alike() -> None:
    alike = [Place("AA", "Aa", "country"), Place("BB", "Bb", "country")]
    plain = [Place(f"{up.code}-1", "Twin", "subdivision", up.code) for up in alike]
    assert PlaceIndex([*alike, *plain]).match("twin").code is None
    claiming = Place("BB-1", "Twin", "subdivision", "BB", ("Twin",))
    assert PlaceIndex([*alike, plain[0], claiming]).match("twin").code == "BB-1"
    assert PlaceIndex([*alike, plain[0], claiming]).match("Twin, Aa").code == "AA-1"


def test_similar_spellings_only_where_asked() -> None:
    places = seeded_places()
    assert places.match("San Fransisco").code is None
    close = places.match("San Fransisco", fuzzy=True)
    assert close.code == "US-CA-SFO"
    assert 0 < close.confidence < 0.9
    assert "san francisco" in close.why


def test_the_wider_region_only_where_asked_and_only_if_it_is_clear() -> None:
    places = seeded_places()
    assert places.match("Bakersfield, California").code is None
    assert places.match("Bakersfield, California", fuzzy=True).code == "US-CA"
    assert places.match("Winston-Salem, NC", fuzzy=True).code is None


def test_every_code_and_qualified_name_comes_back() -> None:
    regions = [region for region in seed_regions() if region.kind != "unspecified"]
    places = seeded_places()
    for region in regions:
        for text in filter(None, (region.code, region.code.lower(), region.alpha3, region.cbsa)):
            assert places.match(text).code == region.code
        if region.kind == "country":
            for text in (region.name, *region.aliases):
                assert places.match(text).code == region.code, text


def test_a_parent_that_is_missing_or_a_ring_ends_the_chain() -> None:
    ring = [
        Place("AA", "Aa", "country", "AA-1"),
        Place("AA-1", "One", "subdivision", "AA"),
        Place("BB-1", "Lost", "subdivision", "BB"),
    ]
    places = PlaceIndex(ring)
    assert places.match("One, Aa").code == "AA-1"
    assert places.match("Lost").code == "BB-1"


@given(st.text(max_size=300), st.booleans())
def test_any_text_gets_an_answer(text: str, fuzzy: bool) -> None:
    match = seeded_places().match(text, fuzzy=fuzzy)
    assert (match.code is None) == (match.confidence == 0.0)
    assert match.why


@given(st.text(max_size=100))
def test_folding_a_place_twice_changes_nothing(text: str) -> None:
    assert fold_place(fold_place(text)) == fold_place(text)


@pytest.mark.parametrize(
    "text", ["x" * 10_000_000, "a," * 5_000_000, "-" * 10_000_000, "\x00", "\ud800", "' OR 1=1 --"]
)
@pytest.mark.parametrize("fuzzy", [False, True])
def test_odd_texts_are_answered(text: str, fuzzy: bool) -> None:
    places = seeded_places()
    places.match("warm up", fuzzy=True)
    assert places.match(text, fuzzy=fuzzy).code is None


def test_the_areas_of_oews_are_known_by_code_and_by_title() -> None:
    path = DATA / "oews_may_2017_metro.csv"
    if not path.exists():
        pytest.skip(f"{path.name} is not in {DATA}; set PAYBAND_DATA to the folder that has it")
    with path.open(encoding="utf-8", newline="") as lines:
        areas = {(row["area_code"], row["area_title"]) for row in csv.DictReader(lines)}
    assert len(areas) == 11
    for code, title in areas:
        by_code, by_title = seeded_places().match(code), seeded_places().match(title)
        assert by_code.code is not None
        assert by_code.code == by_title.code

"""The seeded taxonomies are complete, consistent, and say what the published guide says."""

import json
import re
from collections import Counter
from itertools import combinations

from app.domain.folding import fold
from app.domain.title_words import Phrases, fold_title, level_words
from app.domain.titles import TitleMatcher
from app.domain.vocabulary import PAY_PERIODS, REGION_KINDS, SOURCE_KINDS, UNSPECIFIED
from app.taxonomies.seed import (
    seed_benchmarks,
    seed_guide_source,
    seed_industries,
    seed_levels,
    seed_regions,
    seed_roles,
    seed_title_words,
    seed_titles,
)

CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")


def test_levels_are_ranked_and_their_words_name_one_level_each() -> None:
    levels = seed_levels()
    assert [(level.code, level.rank) for level in levels] == [
        (UNSPECIFIED, 0),
        ("entry", 1),
        ("mid", 2),
        ("senior", 3),
        ("lead", 4),
        ("principal", 5),
        ("executive", 6),
    ]
    assert sum(len(level.aliases) for level in levels) >= 40
    meaning = {fold(text): level.code for level in levels for text in (level.code, *level.aliases)}
    for text, code in {
        "junior": "entry",
        "jr": "entry",
        "en": "entry",
        "mi": "mid",
        "se": "senior",
        "sr.": "senior",
        "ex": "executive",
        "staff": "lead",
    }.items():
        assert meaning[text] == code
    for one, other in combinations(levels, 2):
        assert not {fold(text) for text in one.aliases} & {fold(text) for text in other.aliases}


def test_roles_have_families_and_well_formed_codes() -> None:
    roles = {role.code: role for role in seed_roles()}
    assert len(roles) == len(seed_roles()) > 80
    assert all(CODE.match(role.code) and CODE.match(role.family) for role in roles.values())
    assert all(re.fullmatch(r"\d{2}-\d{4}", role.soc) for role in roles.values() if role.soc)
    assert all(re.fullmatch(r"\d{4}", role.isco) for role in roles.values() if role.isco)
    assert sum(role.soc is not None for role in roles.values()) > 80
    assert roles["software-developer"].soc == "15-1252"
    assert len({role.name for role in roles.values()}) == len(roles)


def test_the_guide_is_held_as_facts_and_benchmarks() -> None:
    facts = next(role.facts for role in seed_roles() if role.code == "django-developer")
    json.dumps(facts)
    assert "PostgreSQL" in facts["skills"]
    assert facts["experience_years"] == {"low": 2, "high": 5}
    assert facts["overall"]["open_ended"] is True
    assert facts["source"]["code"] == seed_guide_source().code == "published-guide"
    assert set(facts["regions"]) <= {region.code for region in seed_regions()}
    assert set(facts["industries"]) <= {industry.code for industry in seed_industries()}
    bands = {band.level: (band.low, band.high, band.open_ended) for band in seed_benchmarks()}
    assert bands == {
        UNSPECIFIED: (70_000, 145_000, True),
        "entry": (70_000, 85_000, False),
        "mid": (85_000, 115_000, False),
        "senior": (115_000, 145_000, False),
    }
    for band in seed_benchmarks():
        assert (band.source, band.role, band.region) == (
            "published-guide",
            "django-developer",
            "US",
        )
        assert (band.period, band.currency) == ("2026", "USD")
        assert band.pay_period in PAY_PERIODS
    assert seed_guide_source().kind in SOURCE_KINDS


def test_the_nine_titles_of_the_guide_are_matched_as_it_says() -> None:
    levels = ((level.code, level.rank, level.aliases) for level in seed_levels())
    matcher = TitleMatcher(seed_titles(), level_words(levels), seed_title_words())
    for title, level, focus_area in [
        ("Django Developer", "entry", "Web Development"),
        ("Python Django Developer", "mid", "Backend Engineering"),
        ("Backend Django Developer", "senior", "API Development"),
        ("Senior Django Developer", "senior", "Full Stack Development"),
        ("Django Software Engineer", "lead", "System Architecture"),
        ("Full Stack Django Developer", "mid", "Full Stack Development"),
        ("Django API Developer", "entry", "API Development"),
        ("Django/Python Engineer", "senior", "Backend Engineering"),
        ("Lead Django Developer", "lead", "Team Leadership"),
    ]:
        match = matcher.match(title)
        assert (match.role, match.level, match.focus_area, match.confidence) == (
            "django-developer",
            level,
            focus_area,
            1.0,
        )


def test_title_aliases_are_distinct_and_name_known_roles_and_levels() -> None:
    titles = seed_titles()
    assert len({fold_title(title.text) for title in titles}) == len(titles)
    roles = {role.code for role in seed_roles()} - {UNSPECIFIED}
    assert {title.role for title in titles} == roles
    assert {title.level for title in titles} <= {level.code for level in seed_levels()}


def test_no_two_roles_claim_the_same_title() -> None:
    levels = ((level.code, level.rank, level.aliases) for level in seed_levels())
    matcher = TitleMatcher(seed_titles(), level_words(levels), seed_title_words())
    for title in seed_titles():
        # The added grade numeral takes away the exact match, so that the words have to agree.
        assert matcher.match(f"{title.text} 3").role == title.role, title.text


def test_synonyms_end_in_words_that_have_none() -> None:
    synonyms = seed_title_words().synonyms
    phrases = Phrases(synonyms)
    for word in synonyms.values():
        assert phrases.replaced(word.split()) == word.split()
    words = seed_title_words()
    folded = {*words.ignored, *words.qualifiers, *words.column_levels, *words.directing}
    assert folded == {fold(word) for word in folded}


def test_industries_have_codes_and_aliases_of_their_own() -> None:
    industries = {industry.code: industry for industry in seed_industries()}
    assert {"fintech", "saas", "media", "e-commerce", "startup", UNSPECIFIED} <= set(industries)
    texts = Counter(
        text
        for industry in industries.values()
        for text in {fold(text) for text in (industry.code, industry.name, *industry.aliases)}
    )
    assert [text for text, count in texts.items() if count > 1] == []


def test_regions_are_a_tree_with_parents_first() -> None:
    kinds: dict[str, str] = {}
    for region in seed_regions():
        assert region.code not in kinds
        assert region.kind in REGION_KINDS
        if region.kind in ("country", UNSPECIFIED):
            assert region.parent is None
        else:
            assert region.parent is not None
            above = kinds[region.parent]
            assert above == "subdivision" or (region.kind, above) == ("subdivision", "country")
        kinds[region.code] = region.kind
    counts = Counter(kinds.values())
    assert counts["country"] >= 249
    assert counts["subdivision"] >= 5_000


def test_metros_cover_the_large_us_areas_and_hubs_elsewhere() -> None:
    metros = [region for region in seed_regions() if region.kind == "metro"]
    us = [metro for metro in metros if metro.code.startswith("US-")]
    assert len(us) >= 50
    assert len(metros) - len(us) >= 30
    assert all(metro.cbsa and re.fullmatch(r"\d{5}", metro.cbsa) for metro in us)
    assert len({metro.cbsa for metro in us}) == len(us)
    assert all(metro.code.rpartition("-")[0] == metro.parent for metro in metros)
    by_name = {metro.name: (metro.parent, metro.cbsa) for metro in us}
    assert by_name["San Francisco"] == ("US-CA", "41860")
    assert by_name["New York"] == ("US-NY", "35620")
    assert by_name["Seattle"] == ("US-WA", "42660")


def test_iso_names_read_as_they_are_said() -> None:
    regions = {region.code: region for region in seed_regions()}
    assert regions["KR"].name == "South Korea"
    assert "Korea, Republic of" in regions["KR"].aliases
    assert regions["US"].alpha3 == "USA"
    assert regions["CD"].name == "The Democratic Republic of the Congo"
    assert regions["ES-MD"].name == "Comunidad de Madrid"
    assert regions["ES-CT"].name == "Catalunya"
    assert "Cataluña" in regions["ES-CT"].aliases
    assert regions["GB-LND"].name == "City of London"
    assert "London" not in regions["GB-LND"].aliases
    assert regions["GB-MAN"].parent == "GB-ENG"

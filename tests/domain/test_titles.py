"""Matching of job titles: rules on a handful of aliases, then the seeds on real titles."""

import csv
import os
import random
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.title_words import LevelWord, TitleWords, fold_title, level_words
from app.domain.titles import TitleAlias, TitleMatcher
from app.domain.vocabulary import UNSPECIFIED
from app.taxonomies.seed import seed_levels, seed_roles, seed_title_words, seed_titles

DATA = Path(os.environ.get("PAYBAND_DATA") or Path(__file__).parents[3] / "shared" / "data")


def data_file(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not in {DATA}; set PAYBAND_DATA to the folder that has it")
    return path


@cache
def seeded_matcher() -> TitleMatcher:
    levels = ((level.code, level.rank, level.aliases) for level in seed_levels())
    return TitleMatcher(seed_titles(), level_words(levels), seed_title_words())


@pytest.mark.parametrize(
    ("title", "role", "level", "focus_area", "method"),
    [
        ("Django Developer", "django-developer", "entry", "Web Development", "exact"),
        ("  django   DEVELOPER ", "django-developer", "entry", "Web Development", "exact"),
        ("Sr. Django Engineer", "django-developer", "senior", None, "words"),
        ("Sr Django Developer", "django-developer", "senior", "Full Stack Development", "words"),
        ("Python/Django Engineer", "django-developer", "senior", "Backend Engineering", "words"),
        ("Lead Django Developer (m/f/d)", "django-developer", "lead", "Team Leadership", "words"),
        ("Django Developer - Remote", "django-developer", "entry", "Web Development", "words"),
        ("Software Engineer III", "software-developer", UNSPECIFIED, None, "words"),
        ("Machine Learning Engineer 5", "machine-learning-engineer", UNSPECIFIED, None, "words"),
        ("Senior Staff Software Engineer", "software-developer", "principal", None, "words"),
        ("Working Student Data Science", "data-scientist", "entry", None, "words"),
        ("Director, Data Science", "head-of-data", "executive", None, "words"),
        ("Senior Director of Data Science", "head-of-data", "executive", None, "words"),
        ("Senior Account Executive", "account-executive", "senior", None, "words"),
        ("Executive Assistant", "executive-assistant", UNSPECIFIED, None, "exact"),
        ("Staff Accountant", "accountant", UNSPECIFIED, None, "exact"),
        ("DataScientist", "data-scientist", UNSPECIFIED, None, "words"),
        ("Engineer (Data)", "data-engineer", UNSPECIFIED, None, "words"),
        ("Software Engineer (Payments)", "software-developer", UNSPECIFIED, None, "words"),
        ("Data Scientist, Growth Team", "data-scientist", UNSPECIFIED, None, "words"),
        ("Azure Data Engineer", "data-engineer", UNSPECIFIED, None, "words"),
        ("C++ Developer", "cpp-developer", UNSPECIFIED, None, "exact"),
        ("Senior C# Developer", "dotnet-developer", "senior", None, "words"),
        ("Junior .NET Developer", "dotnet-developer", "entry", None, "words"),
        ("Data Sceintist", "data-scientist", UNSPECIFIED, None, "fuzzy"),
        ("Senoir Data Enginer", "data-engineer", "senior", None, "fuzzy"),
    ],
)
def test_titles_people_write(
    title: str, role: str, level: str, focus_area: str | None, method: str
) -> None:
    match = seeded_matcher().match(title)
    assert (match.role, match.level, match.focus_area, match.method) == (
        role,
        level,
        focus_area,
        method,
    )
    assert 0 < match.confidence <= 1
    assert match.why


@pytest.mark.parametrize(
    ("title", "level"),
    [
        ("Engineer", UNSPECIFIED),
        ("Principal Engineer", "principal"),
        ("Head of Quantum", "executive"),
        ("Data Scientist / Data Engineer", UNSPECIFIED),
        ("Recording Analyst", UNSPECIFIED),
        ("Azure Manager", UNSPECIFIED),
        ("Data Entry Clerk", UNSPECIFIED),
        ("Product Foo Manager", UNSPECIFIED),
        ("", UNSPECIFIED),
    ],
)
def test_unmatched_keeps_the_level_and_says_so(title: str, level: str) -> None:
    match = seeded_matcher().match(title)
    assert (match.role, match.level, match.confidence, match.method) == (
        UNSPECIFIED,
        level,
        0.0,
        "none",
    )


def test_a_known_word_is_never_taken_for_a_typo() -> None:
    aliases = [TitleAlias("Data Scientist", "data-scientist"), TitleAlias("Specialist", "other")]
    match = TitleMatcher(aliases, []).match("Data Specialist")
    assert match.role == UNSPECIFIED


def test_confidence_falls_with_each_stage() -> None:
    match = seeded_matcher().match
    titles = [
        "Data Scientist",
        "Senior Data Scientist",
        "Scientist, Data",
        "Marketing Data Scientist",
        "Data Scientist, Growth Team",
    ]
    found = [match(title) for title in titles]
    assert {item.role for item in found} == {"data-scientist"}
    confidences = [item.confidence for item in found]
    assert confidences == sorted(confidences, reverse=True)
    assert len(set(confidences)) == len(confidences)


def test_the_highest_seniority_word_counts() -> None:
    levels = [LevelWord("senior", "senior", 3), LevelWord("lead", "lead", 4)]
    matcher = TitleMatcher([TitleAlias("Tester", "tester", "mid")], levels)
    assert matcher.match("tester").level == "mid"
    assert matcher.match("Senior Lead Tester").level == "lead"
    assert matcher.match("Lead Tester (Senior)").level == "lead"


@pytest.mark.parametrize(
    ("title", "level"),
    [
        ("Django Developer (Senior)", "senior"),
        ("Django Developer [Lead]", "lead"),
        ("Data Engineer (Senior)", "senior"),
        ("Data Engineer (Senior, Remote)", "senior"),
        ("Data Engineer {Mid-Level} (m/f/d)", "mid"),
        ("Junior Senior Django Developer", "senior"),
        ("Senior Django Developer (Lead)", "lead"),
        ("Senior Django Developer (Junior)", "senior"),
        ("Data Enginer (Senior)", "senior"),
        ("Data Engineer, Growth Team (Senior)", "senior"),
        ("Data Engineer (m/f/d)", UNSPECIFIED),
        ("Data Engineer (Remote)", UNSPECIFIED),
        ("Data Engineer (Lead Generation)", UNSPECIFIED),
        ("Django Developer (Remote)", "entry"),
        ("Junior Staff Accountant", "entry"),
    ],
)
def test_a_stated_level_beats_the_alias_also_in_brackets(title: str, level: str) -> None:
    match = seeded_matcher().match(title)
    assert match.role != UNSPECIFIED
    assert match.level == level, match.why


def test_an_unmatched_title_keeps_a_level_in_brackets() -> None:
    assert seeded_matcher().match("Wizard of Quantum (Senior)").level == "senior"


def test_an_order_that_clashes_is_left_out() -> None:
    aliases = [TitleAlias("sales data analyst", "one"), TitleAlias("data sales analyst", "two")]
    matcher = TitleMatcher(aliases, [])
    assert matcher.match("Sales Data-Analyst").role == "one"
    assert matcher.match("analyst data sales").role == UNSPECIFIED


def test_synonyms_hold_for_aliases_and_titles_alike() -> None:
    words = TitleWords(synonyms={"machine learning": "ml", "engr": "engineer"})
    matcher = TitleMatcher([TitleAlias("ML Engr", "ml-engineer")], [], words)
    assert matcher.match("Machine-Learning Engineer").role == "ml-engineer"


@given(st.text(max_size=300))
def test_any_text_gets_an_answer_and_folding_changes_nothing(title: str) -> None:
    matcher = seeded_matcher()
    match = matcher.match(title)
    assert (match.role == UNSPECIFIED) == (match.confidence == 0.0)
    assert fold_title(fold_title(title)) == fold_title(title)
    assert matcher.match(fold_title(title)) == match
    match.why.encode()


@pytest.mark.parametrize(
    "title",
    [
        "x" * 10_000_000,
        " " * 10_000_000,
        "senior " * 1_000_000,
        "(" * 10_000_000,
        "m/" * 5_000_000,
        "\x00",
        "\ud800 Data \udfff",
        "\U0001f389\U0001f680",
        "'; DROP TABLE roles; --",
        '=HYPERLINK("http://example.org")',
    ],
)
def test_odd_titles_are_answered(title: str) -> None:
    seeded_matcher().match("warm up the speling")
    assert seeded_matcher().match(title).role == UNSPECIFIED


def ai_jobs_titles() -> Counter[str]:
    with data_file("ai_jobs_salaries.csv").open(encoding="utf-8", newline="") as lines:
        return Counter(row["job_title"] for row in csv.DictReader(lines))


def test_nine_in_ten_rows_of_ai_jobs_get_a_role() -> None:
    titles = ai_jobs_titles()
    match = seeded_matcher().match
    matched = sum(rows for title, rows in titles.items() if match(title).role != UNSPECIFIED)
    assert titles.total() == 74_301
    assert matched / titles.total() > 0.92
    # A title that names no field stays on the work list.
    assert match("Engineer").role == match("Associate").role == UNSPECIFIED


def test_official_occupations_match_roles_of_their_soc_code() -> None:
    soc = {role.code: role.soc for role in seed_roles()}
    with data_file("oews_may_2024_national.csv").open(encoding="utf-8", newline="") as lines:
        occupations = {row["occ_title"]: row["occ_code"] for row in csv.DictReader(lines)}
    found = {title: seeded_matcher().match(title).role for title in occupations}
    matched = {title: role for title, role in found.items() if role != UNSPECIFIED}
    assert len(matched) >= 35
    wrong = {title: role for title, role in matched.items() if soc[role] != occupations[title]}
    assert wrong == {}


def test_a_misspelled_title_is_corrected_or_unmatched_never_another_role() -> None:
    match = seeded_matcher().match
    known = {title: match(title).role for title in ai_jobs_titles()}
    chance = random.Random(20)
    outcomes: Counter[str] = Counter()
    for title, role in known.items():
        if role == UNSPECIFIED:
            continue
        at = chance.randrange(1, len(title) - 1)
        found = match(title[:at] + title[at + 1] + title[at] + title[at + 2 :])
        if found.method == "fuzzy":
            outcomes["right" if found.role == role else "wrong"] += 1
    assert outcomes["wrong"] == 0
    assert outcomes["right"] > 100


def test_titles_with_more_words_than_the_alias_match() -> None:
    match = seeded_matcher().match
    roles = [alias.text for alias in seed_titles()]
    titles = [f"Senior {role}, Team {number}x" for number in range(3) for role in roles][:2_000]
    matched = sum(match(title).role != UNSPECIFIED for title in titles)
    assert matched > len(titles) / 2

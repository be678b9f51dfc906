"""The nearest valid words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.folding import fold
from app.domain.nearest import nearest

LEVELS = ("entry", "mid", "senior", "lead", "principal", "executive")


@pytest.mark.parametrize(
    ("word", "choices", "best"),
    [
        ("senoir", LEVELS, "senior"),
        ("SENIOR", LEVELS, "senior"),
        ("django", ("developer", "jango-dev", "django-developer"), "django-developer"),
        ("US-CAL", ("US-AL", "US-CA", "US-CO"), "US-CA"),
        ("Sao Paulo", ("San Pablo", "São Paulo"), "São Paulo"),
    ],
)
def test_the_best_comes_first(word: str, choices: tuple[str, ...], best: str) -> None:
    assert nearest(word, choices)[0] == best


@given(st.text(max_size=80), st.lists(st.text(max_size=20), max_size=30), st.integers(-1, 5))
def test_as_many_as_asked_each_once(word: str, choices: list[str], count: int) -> None:
    found = nearest(word, choices, count)
    assert len(found) == min(max(count, 0), len(set(choices)))
    assert len(set(found)) == len(found)
    assert set(found) <= set(choices)
    assert found == nearest(word, reversed(choices), count)


@pytest.mark.parametrize("word", ["", "\x00", "\ud800", "x" * 10_000_000, "\U0001f389" * 100])
def test_odd_words_are_answered(word: str) -> None:
    choices = [f"US-{number}" for number in range(6_000)]
    assert len(nearest(word, choices)) == 3


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "folded"),
    [("  Data\tSCIENTIST ", "data scientist"), ("Türkiye", "turkiye"), ("Straße", "strasse")],
)
def test_case_accents_and_spaces_fold(text: str, folded: str) -> None:
    assert fold(text) == folded

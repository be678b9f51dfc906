"""Profiles of files of price indices: which column is which, and which lines count.

A profile is a small TOML file under `profile_data/`. A table is either long (a `period` and a
`value` column) or wide (a column for each year, whose name matches `years`); without a `region`
column all of it is about `country`.
"""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from app.core.errors import UnknownValue
from app.domain.nearest import nearest
from app.domain.vocabulary import INDEX_KINDS, UNSPECIFIED

_SHIPPED: Final = "profile_data"
_LONG: Final = frozenset({"period", "value"})

KINDS: Final = tuple(word for word in INDEX_KINDS if word != UNSPECIFIED)
"""The kinds of price index: parity, cpi."""


@dataclass(frozen=True, slots=True)
class IndexSource:
    """Who publishes an index, as it is credited."""

    name: str
    licence: str
    url: str


@dataclass(frozen=True, slots=True)
class IndexProfile:
    """How to read one publisher's file.

    `columns` names the columns `region`, `period` and `value`, as far as there are any; `years`
    is what the name of a column of one year looks like. `where` says what columns must hold for a
    line to count, `regions` which code the text of the region column means, `footer` how lines
    begin that are no part of the table, `missing` what stands where there is no value.
    """

    name: str
    title: str
    kind: str
    country: str
    source: IndexSource
    columns: Mapping[str, str]
    years: re.Pattern[str] | None
    where: Mapping[str, str]
    regions: Mapping[str, str]
    footer: tuple[str, ...]
    missing: frozenset[str]

    @property
    def needed(self) -> frozenset[str]:
        """The names of the columns that a file must have."""
        return frozenset({*self.columns.values(), *self.where})


@cache
def shipped_index_profiles() -> tuple[IndexProfile, ...]:
    """All shipped profiles, by name."""
    folder = resources.files("app.rates") / _SHIPPED
    files = sorted(item.name for item in folder.iterdir() if item.name.endswith(".toml"))
    return tuple(
        parse_index_profile((folder / name).read_text(encoding="utf-8"), name.removesuffix(".toml"))
        for name in files
    )


def get_index_profile(name: str) -> IndexProfile:
    """The shipped profile of that name. Raises UnknownValue naming the nearest."""
    profiles = {profile.name: profile for profile in shipped_index_profiles()}
    if name not in profiles:
        close = nearest(name, list(profiles))
        raise UnknownValue(
            f"There is no profile {name[:40]!r} of price indices. Nearest: {', '.join(close)}. "
            f"All: {', '.join(profiles)}.",
            code="unknown_profile",
            parameter="profile",
            nearest=close,
        )
    return profiles[name]


def find_index_profile(header: Collection[str], kind: str | None = None) -> IndexProfile | None:
    """The shipped profile whose columns are all in a header; None where none is, or not of `kind`.

    Of several, the one that needs most columns.
    """
    fitting = [
        profile
        for profile in shipped_index_profiles()
        if profile.needed <= set(header) and kind in (None, profile.kind)
    ]
    return max(fitting, key=lambda profile: len(profile.needed), default=None)


def parse_index_profile(text: str, name: str) -> IndexProfile:
    """A profile from its TOML. Raises ValueError and KeyError: shipped ones are tested."""
    document: dict[str, Any] = tomllib.loads(text)
    columns: dict[str, str] = dict(document["columns"])
    years = columns.pop("years", None)
    if (years is None) != (columns.keys() >= _LONG) or document["kind"] not in KINDS:
        raise ValueError(f"{name}: a profile has years, or a period and a value column")
    return IndexProfile(
        name=name,
        title=document["title"],
        kind=document["kind"],
        country=document["country"],
        source=IndexSource(**document["source"]),
        columns=columns,
        years=None if years is None else re.compile(years),
        where=document.get("where", {}),
        regions=document.get("regions", {}),
        footer=tuple(document.get("footer", ())),
        missing=frozenset(document.get("missing", ())),
    )

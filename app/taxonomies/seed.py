"""The taxonomies that Payband starts with, read from the data files and from ISO 3166.

Pure loaders: frozen rows for the seeding code to insert. Each list starts with `unspecified`, the
row 0 of its table; regions come parents first.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

from app.domain.folding import fold
from app.domain.places import Place, fold_place
from app.domain.title_words import TitleWords
from app.domain.titles import TitleAlias
from app.domain.vocabulary import UNSPECIFIED

RegionSeed = Place
TitleSeed = TitleAlias

# What ISO lists append in brackets: another language's name, or the code of the whole.
_IN_SQUARE_BRACKETS: Final = re.compile(r"\s*\[([^\]]*)\]")
_IN_ROUND_BRACKETS: Final = re.compile(r"\s*\([^)]*\)")
_CODE_AT_END: Final = re.compile(r"\s*\b[A-Z]{2}-[A-Z0-9]{1,3}$")


@dataclass(frozen=True, slots=True)
class LevelSeed:
    """A level: `rank` 0 (unspecified) to 6; `aliases` as level columns and titles write it."""

    code: str
    name: str
    rank: int
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoleSeed:
    """An occupation. `facts`: what was published about it, with its source; JSON values only."""

    code: str
    name: str
    family: str
    soc: str | None = None
    isco: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IndustrySeed:
    """An industry, with its 2022 NAICS code where one covers it."""

    code: str
    name: str
    naics: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceSeed:
    """Who seeded benchmarks come from; `kind` as in `SOURCE_KINDS`."""

    code: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class BenchmarkSeed:
    """A published band: `low` to `high` in whole `currency` per `pay_period`; `open_ended`: '+'."""

    source: str
    role: str
    region: str
    level: str
    period: str
    currency: str
    pay_period: str
    low: int
    high: int
    open_ended: bool = False


def seed_levels() -> list[LevelSeed]:
    """The levels by rank, `unspecified` first."""
    levels = [
        LevelSeed(code, entry["name"], entry["rank"], tuple(entry["aliases"]))
        for code, entry in _read("levels").items()
    ]
    return sorted(levels, key=lambda level: level.rank)


def seed_roles() -> list[RoleSeed]:
    """All roles; the one of the published guide with its facts."""
    guide = _read("published_guide")
    facts = {guide["role"]["code"]: _guide_facts(guide)}
    roles = [
        RoleSeed(
            code, entry["name"], family, entry.get("soc"), entry.get("isco"), facts.get(code, {})
        )
        for family, entries in _read("roles").items()
        for code, entry in entries.items()
    ]
    return [RoleSeed(UNSPECIFIED, "Unspecified", UNSPECIFIED), *roles]


def seed_titles() -> list[TitleSeed]:
    """Title aliases, at most one per `fold_title`: the guide's first, then names, then others."""
    guide = _read("published_guide")
    role = guide["role"]["code"]
    titles = [TitleSeed(role=role, **title) for title in guide["title"]]
    entries = [item for family in _read("roles").values() for item in family.items()]
    titles += [_title(code, entry, entry["name"]) for code, entry in entries]
    titles += [_title(code, entry, text) for code, entry in entries for text in _others(entry)]
    first = {fold(title.text): title for title in reversed(titles)}
    return [title for title in titles if first[fold(title.text)] is title]


def seed_title_words() -> TitleWords:
    """What `TitleMatcher` has to know about single words."""
    words = _read("titles")
    sets = ("ignored", "qualifiers", "column_levels", "directing")
    return TitleWords(words["synonyms"], **{name: frozenset(words[name]) for name in sets})


def seed_industries() -> list[IndustrySeed]:
    """All industries, `unspecified` first."""
    industries = [
        IndustrySeed(code, entry["name"], entry.get("naics"), tuple(entry["aliases"]))
        for code, entry in _read("industries").items()
    ]
    return [IndustrySeed(UNSPECIFIED, "Unspecified"), *industries]


def seed_regions() -> list[RegionSeed]:
    """`unspecified`, countries, subdivisions and metro areas, each after its parent."""
    data = _read("regions")
    aliases: Mapping[str, list[str]] = data["aliases"]
    regions = [*_countries(aliases), *_subdivisions(aliases), *_metros(data["metros"])]
    return [RegionSeed(UNSPECIFIED, "Unspecified", UNSPECIFIED), *regions]


def seed_guide_source() -> SourceSeed:
    """The source of the guide's benchmarks."""
    return SourceSeed(**_read("published_guide")["source"])


def seed_benchmarks() -> list[BenchmarkSeed]:
    """The guide's range over all levels, then its band per level."""
    guide = _read("published_guide")
    role = guide["role"]
    bands = [{"level": UNSPECIFIED, **role["overall"]}, *guide["band"]]
    return [
        BenchmarkSeed(
            source=guide["source"]["code"],
            role=role["code"],
            region=role["region"],
            period=role["period"],
            currency=role["currency"],
            pay_period=role["pay_period"],
            **band,
        )
        for band in bands
    ]


def _read(name: str) -> dict[str, Any]:
    text = files("app.taxonomies.data").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _guide_facts(guide: Mapping[str, Any]) -> dict[str, Any]:
    role = guide["role"]
    money = {key: role[key] for key in ("currency", "pay_period", "region")}
    source = {"code": guide["source"]["code"], "name": guide["source"]["name"]}
    return {
        **guide["facts"],
        "overall": {**role["overall"], **money},
        "source": {**source, "period": role["period"]},
    }


def _others(entry: Mapping[str, Any]) -> list[str]:
    titles: list[str] = entry.get("titles", [])
    return titles


def _title(code: str, entry: Mapping[str, Any], text: str) -> TitleSeed:
    return TitleSeed(text, code, entry.get("level", UNSPECIFIED))


def _countries(aliases: Mapping[str, list[str]]) -> list[RegionSeed]:
    import pycountry

    regions = []
    for country in pycountry.countries:
        name = getattr(country, "common_name", _uninverted(country.name))
        official = [country.name, getattr(country, "official_name", name)]
        texts = _distinct(name, [*official, _uninverted(country.name)], aliases, country.alpha_2)
        regions.append(
            RegionSeed(country.alpha_2, name, "country", None, texts, None, country.alpha_3)
        )
    return regions


def _subdivisions(aliases: Mapping[str, list[str]]) -> list[RegionSeed]:
    import pycountry

    pending = {item.code: item for item in pycountry.subdivisions}
    placed: dict[str, RegionSeed] = {}

    def place(code: str) -> None:
        item = pending[code]
        if item.parent_code in pending and item.parent_code not in placed:
            place(item.parent_code)
        parent = item.parent_code or item.country_code
        name, *others = _readings(item.name)
        texts = _distinct(name, others, aliases, code)
        placed[code] = RegionSeed(code, name, "subdivision", parent, texts)

    for code in sorted(pending):
        if code not in placed:
            place(code)
    return list(placed.values())


def _metros(metros: Mapping[str, Mapping[str, Any]]) -> list[RegionSeed]:
    return [
        RegionSeed(
            code,
            entry["name"],
            "metro",
            code.rpartition("-")[0],
            tuple(entry.get("aliases", ())),
            entry.get("cbsa"),
        )
        for code, entry in metros.items()
    ]


def _readings(name: str) -> list[str]:
    """How an ISO name reads ('Comunidad de Madrid'), then other names found in it.

    'Madrid, Comunidad de' also gives 'Madrid', 'Catalunya [Cataluña]' also 'Cataluña'.
    """
    plain = _IN_SQUARE_BRACKETS.sub("", name).strip()
    read = _uninverted(plain)
    others = [_CODE_AT_END.sub("", text).strip() for text in _IN_SQUARE_BRACKETS.findall(name)]
    others.append(_IN_ROUND_BRACKETS.sub("", plain).strip())
    # The City of London is one square mile of what everyone calls London: it keeps the prefix.
    if read != plain and not read.startswith("City of"):
        others.append(plain.partition(",")[0])
    return [read, name, *filter(None, others)]


def _uninverted(name: str) -> str:
    """'Korea, Republic of' as it is said: 'Republic of Korea'. Lists of names stay as they are."""
    base, comma, rest = name.partition(", ")
    is_list = "," in rest or " and " in rest or " y " in rest
    return f"{rest} {base}" if comma and not is_list else name


def _distinct(
    name: str, derived: Iterable[str], aliases: Mapping[str, list[str]], code: str
) -> tuple[str, ...]:
    """`derived` names other than `name`, and the stated aliases of `code`, each once.

    A stated alias may repeat the name: it claims the text among regions that are named alike.
    """
    known = {fold_place(text): text for text in derived}
    known.pop(fold_place(name), None)
    for text in aliases.get(code, ()):
        known.setdefault(fold_place(text), text)
    return tuple(known.values())

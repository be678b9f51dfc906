"""Indexes over a catalogue that turn what people write into members: made once per catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.domain.folding import fold
from app.domain.places import Place, PlaceIndex
from app.domain.title_words import (
    LevelWord,
    Phrases,
    TitleReader,
    fold_title,
    level_words,
)
from app.domain.titles import TitleAlias, TitleMatcher
from app.domain.vocabulary import REGION_KINDS, word_of
from app.taxonomies.catalogue import Catalogue, IndustryEntry, LevelEntry
from app.taxonomies.seed import seed_title_words


@dataclass(frozen=True, slots=True)
class _Words:
    """What `role_words` needs."""

    reader: TitleReader
    levels: Phrases


def title_matcher(catalogue: Catalogue) -> TitleMatcher:
    """Matches job titles to the aliases of this catalogue; a role's own name is an alias of it."""
    return catalogue.derived("title_matcher", lambda: _build_matcher(catalogue))


def place_index(catalogue: Catalogue) -> PlaceIndex:
    """Finds regions by code, name, alias, CBSA code, alpha-3 code."""
    return catalogue.derived("place_index", lambda: _build_places(catalogue))


def level_index(catalogue: Catalogue) -> Mapping[str, int]:
    """Folded code, name and aliases of every level -> its id."""
    return catalogue.derived("level_index", lambda: _index([*catalogue.levels]))


def industry_index(catalogue: Catalogue) -> Mapping[str, int]:
    """Folded code, name, aliases and NAICS code of every industry -> its id."""
    return catalogue.derived("industry_index", lambda: _index([*catalogue.industries]))


def role_words(title: str, catalogue: Catalogue) -> tuple[list[str], bool]:
    """The words of a title without those of seniority, and whether there were such."""
    known = catalogue.derived("role_words", lambda: _build_words(catalogue))
    words = known.reader.words(fold_title(title))
    kept = [word for piece, level in known.levels.spans(words) if level is None for word in piece]
    return kept, len(kept) < len(words)


def _build_matcher(catalogue: Catalogue) -> TitleMatcher:
    roles, levels = catalogue.roles.by_id, catalogue.levels.by_id
    aliases = [
        TitleAlias(
            alias.text, roles[alias.role_id].code, levels[alias.level_id].code, alias.focus_area
        )
        for alias in catalogue.title_aliases
        if alias.role_id in roles and alias.level_id in levels
    ]
    names = [TitleAlias(role.name, role.code) for role in catalogue.roles if role.id]
    return TitleMatcher([*aliases, *names], _level_words(catalogue), seed_title_words())


def _build_words(catalogue: Catalogue) -> _Words:
    vocabulary = seed_title_words()
    inside_titles = {
        word.text: word.level
        for word in _level_words(catalogue)
        if word.text not in vocabulary.column_levels
    }
    return _Words(TitleReader(vocabulary), Phrases(inside_titles))


def _level_words(catalogue: Catalogue) -> list[LevelWord]:
    return level_words((level.code, level.rank, level.aliases) for level in catalogue.levels)


def _build_places(catalogue: Catalogue) -> PlaceIndex:
    regions = catalogue.regions.by_id
    return PlaceIndex(
        Place(
            code=region.code,
            name=region.name,
            kind=word_of(REGION_KINDS, region.kind),
            parent=None if region.parent_id is None else regions[region.parent_id].code,
            aliases=region.aliases,
            cbsa=region.cbsa,
            alpha3=region.alpha3,
        )
        for region in catalogue.regions
    )


def _index(members: Sequence[LevelEntry | IndustryEntry]) -> dict[str, int]:
    """Codes before names, names before aliases: an alias never hides a member."""
    index: dict[str, int] = {}
    for texts in (_codes, _names, _aliases):
        for member in members:
            for text in texts(member):
                index.setdefault(fold(text), member.id)
    return index


def _codes(member: LevelEntry | IndustryEntry) -> tuple[str, ...]:
    return (member.code,)


def _names(member: LevelEntry | IndustryEntry) -> tuple[str, ...]:
    return (member.name,)


def _aliases(member: LevelEntry | IndustryEntry) -> tuple[str, ...]:
    naics = getattr(member, "naics", None)
    return (*member.aliases, naics) if naics else member.aliases

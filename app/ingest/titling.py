"""Titles of chunks to roles and levels, in short transactions before the one that merges."""

from collections.abc import Sequence
from typing import Final

from app.core.database import Database
from app.ingest.preparation import PreparedChunk
from app.taxonomies.catalogue import Catalogue
from app.taxonomies.titles import ResolvedTitle, build_meaning, match_titles, resolve_titles

CACHED: Final = 50_000
"""Titles that one import remembers, some 10 MB."""


class TitleResolver:
    """What titles mean, as rows of `titles` that are made where missing.

    `dry_run` writes no titles and no roles: the same matches, without rows of their own.
    """

    def __init__(
        self, database: Database, catalogue: Catalogue, *, create_roles: bool, dry_run: bool
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._create_roles = create_roles
        self._dry_run = dry_run
        self._known: dict[str, ResolvedTitle] = {}
        self._roles_made: set[str] = set()

    async def resolve(self, chunk: PreparedChunk) -> dict[str, ResolvedTitle]:
        """The meaning of every title of the chunk. A role is made only for a title of rows that
        state none themselves."""
        roleless = chunk.titles(stated_role=False)
        titles = {*roleless, *chunk.titles(stated_role=True)}
        if self._create_roles:
            lacking = [title for title in roleless if title not in self._roles_made]
            await self._resolve(lacking, create_roles=True)
            self._roles_made.update(lacking)
        await self._resolve(
            [title for title in titles if title not in self._known], create_roles=False
        )
        found = {title: self._known[title] for title in titles}
        if len(self._known) > CACHED:
            self._known.clear()
            self._roles_made.clear()
        return found

    async def _resolve(self, titles: Sequence[str], *, create_roles: bool) -> None:
        if not titles:
            return
        if self._dry_run:
            matches = await match_titles(titles, self._catalogue)
            for title, match in matches.items():
                meaning = build_meaning(match, self._catalogue)
                self._known[title] = ResolvedTitle(0, meaning.role_id, meaning.level_id)
            return
        async with self._database.write() as session:
            self._known |= await resolve_titles(
                session, titles, self._catalogue, create_roles=create_roles
            )

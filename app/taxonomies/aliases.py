"""New title aliases: what a title means, as administrators say."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy.dialects.postgresql import insert as insert_or_replace

from app.core.database import WriteSession
from app.core.errors import Conflict, Refused, UnknownValue
from app.domain.title_words import fold_title
from app.tables import TitleAlias
from app.taxonomies.catalogue import Catalogue
from app.taxonomies.schemas import NewAlias
from app.taxonomies.store import read_aliases


async def save_aliases(
    session: WriteSession, catalogue: Catalogue, bodies: Iterable[NewAlias]
) -> dict[str, int]:
    """Add title aliases; how many were `added`, `changed`, `unchanged`.

    Raises UnknownValue for roles and levels, Refused for the role `unspecified` and for a title
    given twice with two meanings, Conflict for one that means something else (without `replace`).
    """
    wanted: dict[str, dict[str, Any]] = {}
    replaceable: set[str] = set()
    for body in bodies:
        values = _alias_values(catalogue, body)
        if wanted.setdefault(values["text"], values) != values:
            raise Refused(
                f"{body.title[:80]!r} is given twice with different meanings.",
                code="duplicate_title",
            )
        replaceable |= {values["text"]} if body.replace else set()
    stored = await read_aliases(session, list(wanted))
    counts = {"added": len(wanted) - len(stored), "changed": 0, "unchanged": 0}
    for text, row in stored.items():
        same = all(getattr(row, name) == value for name, value in wanted[text].items())
        if not same and text not in replaceable:
            role = catalogue.roles.by_id[row.role_id].code
            level = catalogue.levels.by_id[row.level_id].code
            raise Conflict(
                f"{text[:80]!r} means role {role}, level {level} already; send it with "
                '"replace": true to change that.',
                code="already_exists",
            )
        counts["unchanged" if same else "changed"] += 1
    statement = insert_or_replace(TitleAlias).values(list(wanted.values()))
    new = {name: statement.excluded[name] for name in ("role_id", "level_id", "focus_area")}
    await session.execute(statement.on_conflict_do_update(index_elements=["text"], set_=new))
    return counts


def _alias_values(catalogue: Catalogue, body: NewAlias) -> dict[str, Any]:
    role = catalogue.roles.get(body.role)
    folded = fold_title(body.title)
    if not role.id or not folded:
        raise UnknownValue(
            "An alias needs a title and a role other than unspecified.",
            code="unknown_role",
            parameter="role",
        )
    return {
        "text": folded,
        "role_id": role.id,
        "level_id": catalogue.levels.get(body.level).id,
        "focus_area": body.focus_area,
    }

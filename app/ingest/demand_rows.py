"""Demand rows: what is counted, how many, and which skills are asked for."""

from typing import Final

import polars as pl

from app.domain.folding import fold
from app.domain.vocabulary import MEASURES, UNSPECIFIED
from app.ingest.checks import Checks, same
from app.ingest.meanings import Meanings, resolved
from app.ingest.numbers import check_number
from app.ingest.salary_rows import check_word

MEASURED: Final = {word: code for word, code in MEASURES.items() if word != UNSPECIFIED}
MAX_SKILLS: Final = 100


def check_demand(checks: Checks, meanings: Meanings) -> None:
    """The rules of openings. Leaves `openings` and `candidates` as Float64, `skills` as the text
    of a PostgreSQL array."""
    check_word(checks, meanings, "measure", MEASURED)
    for name in ("openings", "candidates"):
        check_number(checks, name, positive=False)
    many = checks.test(pl.col("skills").str.count_matches(";", literal=True) >= MAX_SKILLS)
    message = f"The row names more than {MAX_SKILLS} skills."
    checks.reject(many, "skills", same("too_many_skills", message))
    checks.drop_rejected()
    checks.add(
        openings=pl.col("openings_number"),
        candidates=pl.col("candidates_number"),
        skills=resolved(checks["skills"], array_text, pl.String).fill_null("{}"),
    )


def array_text(skills: str) -> str:
    """`python; SQL;Python` as the text of an array, each skill once however it is spelled."""
    named: dict[str, str] = {}
    for skill in skills.split(";"):
        plain = " ".join(skill.split())
        if plain:
            named.setdefault(fold(plain), plain)
    quoted = (name.replace("\\", "\\\\").replace('"', '\\"') for name in named.values())
    return "{" + ",".join(f'"{name}"' for name in quoted) + "}"

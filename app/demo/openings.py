"""Synthetic demand records: openings of each month, and what was open at its end."""

from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from app.demo.world import GUIDE_ROLE, INDUSTRIES, MONTHS, REGIONS, ROLES, SEED, DemoRole, guide

INDUSTRIES_EACH: Final = 2
"""Groups of a role, region and month are split over this many industries."""
REPORTING: Final = 4
"""Regions with a share of at least this report openings at all."""
BUSY: Final = 9
"""Regions with a share of at least this also report what is open at the end of a month."""
SEASON: Final = (1.1, 1.1, 1.05, 1.0, 1.0, 0.95, 0.9, 0.85, 1.05, 1.05, 1.0, 0.75)


def generate_openings(today: date) -> pl.DataFrame:
    """Rows with the fields of a demand record for the closed months before `today`."""
    rng = np.random.default_rng(SEED + 1)
    months = [_months_before(today, back) for back in range(MONTHS, 0, -1)]
    rows = [
        row
        for age, month in enumerate(months)
        for role in ROLES
        for region in REGIONS
        if region.share >= REPORTING
        for row in _month(rng, role, region.code, region.share, (month, age))
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def _months_before(day: date, count: int) -> date:
    months = day.year * 12 + day.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)


def _month(
    rng: np.random.Generator, role: DemoRole, region: str, share: float, when: tuple[date, int]
) -> list[dict[str, Any]]:
    """The groups of a role and region in one month, and its stock where that is reported."""
    month, age = when
    usual = 60 * role.share * share * SEASON[month.month - 1] * 1.04 ** (age / 12)
    rows = []
    for place in rng.choice(len(INDUSTRIES), INDUSTRIES_EACH, replace=False):
        group = {
            "source": "demo",
            "role": role.code,
            "region": region,
            "industry": INDUSTRIES[place],
            "skills": ";".join(_skills(rng, role)),
        }
        new = int(rng.poisson(usual / INDUSTRIES_EACH))
        candidates = int(rng.poisson(new * rng.uniform(2, 7)))
        rows.append(_record(group, "new", new, candidates, month.strftime("%Y-%m")))
        if share >= BUSY:
            stock = int(rng.poisson(usual / INDUSTRIES_EACH * 1.4))
            end = _months_before(month, -1) - timedelta(days=1)
            rows.append(_record(group, "open", stock, None, end.isoformat()))
    return rows


def _skills(rng: np.random.Generator, role: DemoRole) -> list[str]:
    named = guide()["facts"]["skills"] if role.code == GUIDE_ROLE else role.skills
    # The first ones are asked for most.
    return [skill for place, skill in enumerate(named) if rng.random() < 0.95 - 0.05 * place]


def _record(
    group: dict[str, Any], measure: str, openings: int, candidates: int | None, observed_on: str
) -> dict[str, Any]:
    words = (group["role"], group["region"], group["industry"], measure, observed_on)
    return {
        **group,
        "external_id": "demo-" + "-".join(words),
        "measure": measure,
        "openings": openings,
        "candidates": candidates,
        "observed_on": observed_on,
    }

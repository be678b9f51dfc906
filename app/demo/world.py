"""The world of the demo data: made up, but for the published guide's pay bands and its words.

Pay is given relative to the guide's bands for the United States; everything else (roles, places,
employers, shares) is invented, so no figure of it says anything about a real market.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

SEED: Final = 20_260_101
MONTHS: Final = 36
SALARIES: Final = 30_000
EMPLOYERS: Final = 400
ANNUAL_GROWTH: Final = 0.03
GUIDE_ROLE: Final = "django-developer"

SKILLS: Final = ("Python", "Git", "SQL", "Docker", "AWS", "Linux", "CI/CD", "Kubernetes")


@dataclass(frozen=True, slots=True)
class DemoRole:
    """A role: its pay relative to the guide's, and its share of records and openings."""

    code: str
    pay: float
    share: float
    skills: tuple[str, ...] = SKILLS


@dataclass(frozen=True, slots=True)
class DemoRegion:
    """A region: pay relative to the United States, share of records, how pay is stated there."""

    code: str
    pay: float
    share: float
    currency: str = "USD"
    pay_period: str = "year"


@dataclass(frozen=True, slots=True)
class Band:
    """A level's pay band for the guide's role in the United States, dollars a year."""

    level: str
    low: float
    high: float
    share: float


ROLES: Final = (
    DemoRole(GUIDE_ROLE, 1.00, 0.20),
    DemoRole("python-developer", 1.03, 0.10),
    DemoRole("backend-developer", 1.06, 0.10),
    DemoRole("frontend-developer", 0.95, 0.09, ("JavaScript", "TypeScript", "React", "CSS", "Git")),
    DemoRole("fullstack-developer", 1.00, 0.10, ("JavaScript", "Python", "React", "SQL", "Git")),
    DemoRole("software-developer", 1.08, 0.12, ("Java", "Python", "Git", "SQL", "Docker")),
    DemoRole("data-engineer", 1.12, 0.07, ("Python", "SQL", "Spark", "Airflow", "AWS")),
    DemoRole("data-scientist", 1.12, 0.06, ("Python", "SQL", "Statistics", "Pandas")),
    DemoRole("machine-learning-engineer", 1.28, 0.04, ("Python", "PyTorch", "Docker", "AWS")),
    DemoRole("devops-engineer", 1.12, 0.06, ("Kubernetes", "Terraform", "AWS", "Linux")),
    DemoRole("qa-engineer", 0.82, 0.03, ("Selenium", "Python", "CI/CD", "Git")),
    DemoRole("product-manager", 1.20, 0.03, ("Roadmaps", "Analytics", "SQL")),
)

REGIONS: Final = (
    DemoRegion("US-CA-SFO", 1.15, 9),
    DemoRegion("US-NY-NYC", 1.11, 9),
    DemoRegion("US-WA-SEA", 1.09, 7),
    DemoRegion("US-CA-SJC", 1.06, 3),
    DemoRegion("US-MA-BOS", 1.04, 4),
    DemoRegion("US-CA-LAX", 1.03, 4),
    DemoRegion("US-TX-AUS", 1.00, 4),
    DemoRegion("US-DC-WAS", 1.02, 3),
    DemoRegion("US-CO-DEN", 0.99, 3),
    DemoRegion("US-IL-CHI", 0.98, 4),
    DemoRegion("US-GA-ATL", 0.95, 3),
    DemoRegion("US-TX-DFW", 0.96, 3),
    DemoRegion("US-OR-PDX", 0.97, 2),
    DemoRegion("US-NC-RAL", 0.94, 2),
    DemoRegion("US-FL-MIA", 0.93, 2),
    DemoRegion("US-TX", 0.95, 2),
    DemoRegion("US-CA", 1.04, 2),
    DemoRegion("US", 0.98, 5),
    DemoRegion("CA-ON-TOR", 0.74, 3, "CAD"),
    DemoRegion("CA-BC-VAN", 0.75, 2, "CAD"),
    DemoRegion("GB-ENG-LON", 0.80, 5, "GBP"),
    DemoRegion("GB-ENG-MAN", 0.62, 1, "GBP"),
    DemoRegion("IE-D-DUB", 0.75, 1, "EUR"),
    DemoRegion("DE-BE-BER", 0.70, 4, "EUR"),
    DemoRegion("DE-BY-MUC", 0.77, 2, "EUR"),
    DemoRegion("FR-IDF-PAR", 0.62, 2, "EUR"),
    DemoRegion("NL-NH-AMS", 0.71, 2, "EUR", "month"),
    DemoRegion("ES-MD-MAD", 0.48, 1, "EUR"),
    DemoRegion("ES-CT-BCN", 0.49, 1, "EUR"),
    DemoRegion("CH-ZH-ZRH", 1.10, 1, "CHF"),
    DemoRegion("SE-AB-STO", 0.60, 1, "SEK", "month"),
    DemoRegion("PL", 0.45, 2, "PLN", "month"),
    DemoRegion("IL-TA-TLV", 0.85, 1, "ILS", "month"),
    DemoRegion("IN-KA-BLR", 0.24, 3, "INR"),
    DemoRegion("IN-TS-HYD", 0.22, 2, "INR"),
    DemoRegion("AU-NSW-SYD", 0.78, 2, "AUD"),
    DemoRegion("SG", 0.72, 1, "SGD", "month"),
    DemoRegion("JP", 0.52, 1, "JPY"),
    DemoRegion("BR-SP-SAO", 0.32, 1, "BRL", "month"),
    DemoRegion("MX-CMX-MEX", 0.35, 1, "MXN", "month"),
)

INDUSTRIES: Final = (
    "startup",
    "fintech",
    "saas",
    "media",
    "e-commerce",
    "healthcare",
    "consulting",
)

# What follows the guide's open-ended range, and how many records each level has.
_ABOVE: Final = {"lead": (145_000.0, 178_000.0), "principal": (170_000.0, 212_000.0)}
_SHARES: Final = {"entry": 0.20, "mid": 0.34, "senior": 0.30, "lead": 0.11, "principal": 0.05}


@cache
def guide() -> dict[str, Any]:
    """The published guide, as the taxonomies are seeded with it."""
    data = files("app.taxonomies").joinpath("data", "published_guide.toml")
    return tomllib.loads(data.read_text(encoding="utf-8"))


def bands() -> tuple[Band, ...]:
    """The guide's pay bands by level, and two above them."""
    stated = {band["level"]: (band["low"], band["high"]) for band in guide()["band"]}
    ranges = {**stated, **_ABOVE}
    return tuple(Band(level, *ranges[level], share) for level, share in _SHARES.items())


def guide_titles() -> dict[str, list[str]]:
    """Job titles of the guide's role by level."""
    found: dict[str, list[str]] = {}
    for title in guide()["title"]:
        found.setdefault(title["level"], []).append(title["text"])
    return found

"""The fields of the three kinds of rows, and which of them a file cannot do without."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from app.core.errors import InvalidBody
from app.domain.nearest import nearest

Kind = Literal["salary", "demand", "benchmark"]

FIELDS: Final[Mapping[Kind, tuple[str, ...]]] = MappingProxyType(
    {
        "salary": (
            *("source", "external_id", "title", "role", "level", "region", "industry"),
            *("employer", "employment_type", "work_mode", "pay_kind"),
            *("amount", "amount_min", "amount_max", "currency", "pay_period", "fte"),
            *("observed_on", "url"),
        ),
        "demand": (
            *("source", "external_id", "title", "role", "level", "region", "industry"),
            *("employer", "measure", "openings", "candidates", "skills", "observed_on"),
        ),
        "benchmark": (
            *("source", "role", "soc", "region", "level", "industry", "period"),
            *("currency", "pay_period", "low", "high", "open_ended", "mean"),
            *("p10", "p25", "p50", "p75", "p90"),
            *("top_coded", "rse", "employment", "url"),
        ),
    }
)
"""Field names by kind, in the order in which mapped frames carry them."""

REQUIRED: Final[Mapping[Kind, tuple[tuple[str, ...], ...]]] = MappingProxyType(
    {
        "salary": (
            ("source",),
            ("region",),
            ("amount", "amount_min", "amount_max"),
            ("currency",),
            ("observed_on",),
        ),
        "demand": (("source",), ("measure",), ("openings",), ("observed_on",)),
        "benchmark": (("source",), ("region",), ("period",), ("currency",)),
    }
)
"""By kind: groups of fields of which every row needs at least one."""


@dataclass(frozen=True)
class ColumnRule:
    """Which columns a body may and must have. `known=None`: any others are ignored."""

    known: frozenset[str] | None = None
    required: tuple[tuple[str, ...], ...] = ()

    def is_known(self, column: str) -> bool:
        return self.known is None or column in self.known

    def check(self, columns: Sequence[str]) -> None:
        """Compare a header with the rule.

        Raises InvalidBody `unknown_column` or `missing_column`; both name the nearest.
        """
        for column in columns:
            if not self.is_known(column):
                raise InvalidBody(self.unknown_detail(column), code="unknown_column", field=column)
        missing = [group for group in self.required if not set(group) & set(columns)]
        if missing:
            raise InvalidBody(
                " ".join(self._missing_detail(group, columns) for group in missing),
                code="missing_column",
                field=missing[0][0],
            )

    def unknown_detail(self, column: str) -> str:
        """A sentence that says that `column` is not one of the known, and which are near."""
        near = ", ".join(nearest(column, sorted(self.known or ())))
        return f"There is no column '{shortened(column)}'; the nearest are: {near}."

    def _missing_detail(self, group: Sequence[str], columns: Sequence[str]) -> str:
        """What is missing, with the nearest column that has no other meaning."""
        taken = {name for names in self.required for name in names} | (self.known or set())
        spare = [name for name in columns if name not in taken]
        wanted = " or ".join(f"'{name}'" for name in group)
        if spare:
            near = f"the nearest one present is '{shortened(nearest(group[0], spare)[0])}'"
        else:
            near = f"present are: {shortened(', '.join(columns), 300)}"
        return f"A column {wanted} is needed; {near}."


def shortened(text: str, limit: int = 80) -> str:
    """`text`, cut to `limit` characters, fit to be shown in a message."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return shown.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()

"""Profiles at work: text columns of a chunk to fields, as columnar expressions."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation, localcontext
from typing import Final

import polars as pl

from app.core.errors import Refused
from app.ingest.chunks import ROW
from app.ingest.fields import FIELDS, Kind
from app.ingest.rules import Condition, Rules, TopCoding, template_parts

LONGEST_NUMBER: Final = 40
"""Characters, and digits before or after the point, of a number that is scaled; what is longer is
out of every bound as it stands."""
OTHERWISE: Final = "*"
"""The key of a value map that stands for every other value."""


@dataclass(frozen=True)
class Mapped:
    """A chunk's rows as fields, by kind; None for a kind that the profile does not give.

    Each frame has the column `ROW` (Int64) and all fields of the kind as String columns, in the
    order of `FIELDS`, null where not stated. `skipped` counts rows that no section selected.
    """

    salary: pl.DataFrame | None
    demand: pl.DataFrame | None
    benchmark: pl.DataFrame | None
    skipped: int

    def frames(self) -> dict[Kind, pl.DataFrame]:
        """The frames that there are."""
        found: dict[Kind, pl.DataFrame | None]
        found = {"salary": self.salary, "demand": self.demand, "benchmark": self.benchmark}
        return {kind: frame for kind, frame in found.items() if frame is not None}


def apply_profile(
    sections: Mapping[Kind, Rules], rows: pl.DataFrame, source: str | None = None
) -> Mapped:
    """Select and map rows. `source` is the profile's own, for rows that state none.

    Raises Refused `invalid_profile` where an expression of the profile cannot be evaluated.
    """
    frames: dict[Kind, pl.DataFrame] = {}
    taken = pl.repeat(False, rows.height, eager=True)
    try:
        for kind, rules in sections.items():
            selected = _selected(rows, rules.where)
            chosen = rows.filter(selected) if rules.where else rows
            frames[kind] = chosen.select(pl.col(ROW), *_fields(kind, rules, rows.columns, source))
            taken |= selected
    except pl.exceptions.PolarsError as error:
        raise Refused(f"The profile cannot be applied: {error}", code="invalid_profile") from None
    return Mapped(
        frames.get("salary"),
        frames.get("demand"),
        frames.get("benchmark"),
        rows.height - int(taken.sum()),
    )


def _selected(rows: pl.DataFrame, where: Mapping[str, Condition]) -> pl.Series:
    """Which rows meet every condition."""
    tests = [_test(_column(name, rows.columns), test) for name, test in where.items()]
    met = pl.all_horizontal(pl.lit(True), *tests)
    return rows.select(pl.when(pl.col(ROW).is_not_null()).then(met).alias("met"))["met"]


def _test(column: pl.Expr, condition: Condition) -> pl.Expr:
    """A comparison that is never null: an absent value is the empty text."""
    text = column.str.strip_chars().fill_null("")
    test = pl.lit(True)
    if condition.one_of is not None:
        test &= text.is_in(condition.one_of)
    if condition.none_of is not None:
        test &= ~text.is_in(condition.none_of)
    if condition.empty is not None:
        test &= (text == "") == condition.empty
    return test


def _column(name: str, present: list[str]) -> pl.Expr:
    return pl.col(name) if name in present else pl.lit(None, dtype=pl.String)


def _fields(kind: Kind, rules: Rules, present: list[str], source: str | None) -> list[pl.Expr]:
    made = {name: _field(name, rules, present) for name in FIELDS[kind]}
    if source is not None:
        made["source"] = made["source"].fill_null(source)
    if rules.top_coding:
        made |= _top_coded(rules.top_coding, made, present)
    return [expression.alias(name) for name, expression in made.items()]


def _field(name: str, rules: Rules, present: list[str]) -> pl.Expr:
    value: pl.Expr = pl.lit(None, dtype=pl.String)
    if name in rules.columns:
        value = _template(rules.columns[name], present)
    if name in rules.values:
        value = _replaced(value.str.strip_chars(), rules.values[name])
    if name in rules.scale:
        value = _scaled(value.str.strip_chars(), rules.scale[name])
    if name in rules.constants:
        value = value.fill_null(rules.constants[name])
    return value


def _template(template: str, present: list[str]) -> pl.Expr:
    """The text with its columns filled in; null where one of them is."""
    parts = [
        _column(text, present) if is_column else pl.lit(text)
        for text, is_column in template_parts(template)
    ]
    return parts[0] if len(parts) == 1 else pl.concat_str(parts)


def _replaced(value: pl.Expr, meanings: Mapping[str, str]) -> pl.Expr:
    """Mapped values; others stay as they are, unless the map has an `OTHERWISE`."""
    plain = {key: text for key, text in meanings.items() if key not in (OTHERWISE, "")}
    made = value.replace(plain)
    if OTHERWISE in meanings:
        known = value.replace_strict(plain, default=meanings[OTHERWISE], return_dtype=pl.String)
        made = pl.coalesce(pl.when(value.is_not_null()).then(known))
    return made.fill_null(meanings[""]) if "" in meanings else made


def _scaled(value: pl.Expr, factor: Decimal) -> pl.Expr:
    """Exact products as text; what is no number stays as it is, to be named in the report."""

    def products(texts: pl.Series) -> pl.Series:
        distinct = texts.drop_nulls().unique().to_list()
        return texts.replace_strict(
            pl.Series(distinct, dtype=pl.String),
            pl.Series([_product(text, factor) for text in distinct], dtype=pl.String),
            default=None,
            return_dtype=pl.String,
        )

    return value.map_batches(products, return_dtype=pl.String)


def _product(text: str, factor: Decimal) -> str:
    if len(text) > LONGEST_NUMBER:
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or abs(number.adjusted()) > LONGEST_NUMBER:
        return text
    with localcontext(prec=4 * LONGEST_NUMBER):
        product = f"{number * factor:f}"
    return product.rstrip("0").rstrip(".") if "." in product else product


def _top_coded(
    rule: TopCoding, made: Mapping[str, pl.Expr], present: list[str]
) -> dict[str, pl.Expr]:
    bound_text = _column(rule.bound_column, present)
    bound = pl.lit(None, dtype=pl.String)
    for period, pattern in rule.bounds.items():
        captured = bound_text.str.extract(pattern, 1)
        is_of_period = made["pay_period"] == period
        bound = pl.coalesce(pl.when(is_of_period).then(captured), bound)
    fields: dict[str, pl.Expr] = {}
    names = []
    for name in rule.fields:
        flag = _column(rule.flag.replace("{field}", name), present).str.strip_chars()
        is_flagged = flag.eq_missing(pl.lit(rule.flagged))
        fields[name] = (
            pl.when(is_flagged).then(pl.coalesce(made[name], bound)).otherwise(made[name])
        )
        names.append(pl.when(is_flagged).then(pl.lit(name)))
    listed = pl.concat_str(names, separator=";", ignore_nulls=True)
    return fields | {"top_coded": pl.when(listed != "").then(listed)}

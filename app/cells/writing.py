"""SQL that writes cells, in the statement or the transaction that writes the records.

Rows are only ever added here, so writers meet nobody: what a correction takes back is an entry of
its own, and compaction makes one row of many.
"""

from typing import Final

from app.domain.vocabulary import PAY_PERIODS, PRECISIONS
from app.statistics.amounts import amount_sql

CELL_COLUMNS: Final = (
    *("role_id", "source_id", "region_id", "level_id", "industry_id", "observed_on", "precision"),
    *("annual_amount", "annual_low", "annual_high", "rate_pending", "amount_min", "amount_max"),
    *("currency", "pay_period", "fte", "employment_type", "work_mode", "pay_kind"),
)
"""The columns of a salary record that its entry is made of."""

_DAY: Final = (
    "(extract(day FROM r.observed_on)::int"
    " + CASE WHEN r.withdrawn THEN 32 ELSE 0 END"
    " + CASE WHEN r.amount_min < r.amount_max THEN 64 ELSE 0 END"
    f" + CASE WHEN r.precision = {PRECISIONS['month']} THEN 128 ELSE 0 END)"
)
_ONE_SIDED: Final = "(r.amount_min IS NULL OR r.amount_max IS NULL)"
_AMOUNT: Final = (
    "CASE WHEN r.annual_amount IS NOT NULL THEN r.annual_amount"
    f" WHEN r.rate_pending THEN CASE WHEN {_ONE_SIDED} THEN -4 ELSE -1 END"
    f" WHEN {_ONE_SIDED} THEN -2 ELSE -3 END"
)
_LETTER: Final = "(ascii(substr(r.currency, {place}, 1)) - 65)"
_CURRENCY: Final = (
    f"(({_LETTER.format(place=1)} * 26 + {_LETTER.format(place=2)}) * 26"
    f" + {_LETTER.format(place=3)})"
)
# Most pay is a yearly point of a full-time job: computing it as the rest is costs a microsecond.
_PAID: Final = (
    f"CASE WHEN r.pay_period = {PAY_PERIODS['year']} AND r.fte = 1"
    " AND r.amount_min = r.amount_max AND r.annual_amount IS NOT NULL"
    f" THEN round(r.amount_min, 6)::float8 ELSE {amount_sql('mid', native=True)} END"
)


def columns_sql(table: str) -> str:
    """CELL_COLUMNS of a table, for RETURNING."""
    return ", ".join(f"{table}.{name}" for name in CELL_COLUMNS)


def entries_sql(rows: str, *, withdrawn: bool = False) -> str:
    """SELECT for `cells_sql`: an entry for each of `rows`, a table that has CELL_COLUMNS."""
    names = ", ".join(CELL_COLUMNS)
    return f"SELECT {names}, {str(withdrawn).lower()} AS withdrawn FROM {rows}"  # noqa: S608 - names of ours


def cells_sql(changes: str) -> str:
    """INSERT of the cells of `changes`: SQL of rows with CELL_COLUMNS and `withdrawn`.

    Records of confidential sources have no cells. For the end of a WITH statement, or alone.
    """
    checks = ", ".join(f"decode(md5({name}), 'hex')" for name in ("amounts", "places", "paid"))
    return (
        "INSERT INTO salary_cells (role_id, source_id, pay_kind, month, yearly, entries, form,"  # noqa: S608 - SQL of ours
        " amounts, places, paid, amounts_check, places_check, paid_check)"
        " SELECT role_id, source_id, pay_kind, month, yearly, entries, 1, amounts, places, paid,"
        f" {checks} FROM ({packed_sql(changes)}) AS packed"
    )


def packed_sql(changes: str) -> str:
    """SELECT of the cells of `changes`, a row for each: their keys, `entries` and strings."""
    return (
        "SELECT r.role_id, r.source_id, r.pay_kind,"  # noqa: S608 - SQL of ours
        " date_trunc('month', r.observed_on::timestamp)::date AS month,"
        f" r.precision = {PRECISIONS['year']} AS yearly, count(*) AS entries,"
        f" string_agg(int8send((({_AMOUNT})::bigint << 32) | (r.level_id::bigint << 16)"
        f" | ({_DAY} << 8) | (r.employment_type * 16 + r.work_mode)), ''::bytea) AS amounts,"
        " string_agg(int8send((r.region_id::bigint << 32) | (r.industry_id::bigint << 16)"
        f" | {_CURRENCY}), ''::bytea) AS places,"
        f" string_agg(float8send(coalesce({_PAID}, 'NaN')), ''::bytea) AS paid"
        f" FROM ({changes}) AS r JOIN sources AS s ON s.id = r.source_id AND NOT s.confidential"
        " GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"
    )

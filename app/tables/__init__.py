"""SQLAlchemy tables. Importing this package registers all of them on `Table.metadata`."""

from app.tables.access import ApiKey, AuditEntry, Secret
from app.tables.base import Table
from app.tables.benchmarks import Benchmark
from app.tables.cells import CELL_IDS, RollupState, SalaryCell, SalaryRollup
from app.tables.imports import IdempotencyKey, Import, StoredProfile
from app.tables.rates import ExchangeRate, PriceIndex
from app.tables.records import (
    RECORD_IDS,
    DemandIdentity,
    DemandRecord,
    SalaryIdentity,
    SalaryRecord,
)
from app.tables.releases import Release, ReleaseNode, ReleaseRegion, ReleaseVersion
from app.tables.taxonomies import Industry, Level, Region, Role, Source, Title, TitleAlias
from app.tables.versions import Epoch, RoleVersion

__all__ = [
    "CELL_IDS",
    "RECORD_IDS",
    "ApiKey",
    "AuditEntry",
    "Benchmark",
    "DemandIdentity",
    "DemandRecord",
    "Epoch",
    "ExchangeRate",
    "IdempotencyKey",
    "Import",
    "Industry",
    "Level",
    "PriceIndex",
    "Region",
    "Release",
    "ReleaseNode",
    "ReleaseRegion",
    "ReleaseVersion",
    "Role",
    "RoleVersion",
    "RollupState",
    "SalaryCell",
    "SalaryIdentity",
    "SalaryRecord",
    "SalaryRollup",
    "Secret",
    "Source",
    "StoredProfile",
    "Table",
    "Title",
    "TitleAlias",
]

"""How answers came about, counted in plain integers."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Answers of the routes that are cached, by what was done for them.

    `hit` and `not_modified` cost no computation; `miss` computed, `collapsed` waited for the same
    computation of another request; `stale` was answered from what was kept while the database was
    away; `bypass` computed what could not be kept; `failed` counts failures of the layer itself,
    after which the request went the usual way.
    """

    hit: int = 0
    not_modified: int = 0
    miss: int = 0
    collapsed: int = 0
    stale: int = 0
    bypass: int = 0
    failed: int = 0

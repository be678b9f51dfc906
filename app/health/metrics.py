"""Which metrics the service has, and where each is read."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from starlette.datastructures import State

from app.core.database import Database
from app.core.metrics import Measured, Metrics, Readings, single
from app.dependencies import Services


def build_metrics(state: State) -> Metrics:
    """The metrics of an application that has started."""
    return Metrics([*_of_requests(state), *_of_data(state.services), *_of_events(state)])


def _of_requests(state: State) -> Iterator[Measured]:
    yield Measured(
        "payband_requests",
        "counter",
        "Requests by route and status class, without those that were answered from memory.",
        lambda: state.requests.counted,
        ("route", "status"),
    )
    yield Measured(
        "payband_answers",
        "counter",
        "Answers of routes whose answers are kept, by how they came about.",
        lambda: _by_field(state.services.responses.counts),
        ("kind",),
    )
    yield Measured(
        "payband_answers_bytes",
        "gauge",
        "Memory of the answers that are kept.",
        single(lambda: state.services.responses.store.used_bytes),
    )
    for name, kind, about in (
        ("refused", "counter", "Requests refused because of the rate limit."),
        ("uncounted", "counter", "Requests let through because too many callers were counted."),
        ("callers", "gauge", "Keys and addresses that asked in the minute before."),
        ("busiest", "gauge", "Most requests of one key or address in the minute before."),
    ):
        yield Measured(
            f"payband_limit_{name}",
            kind,
            about,
            single(lambda name=name: getattr(state.limiter, name)),  # type: ignore[misc]
        )


def _of_data(services: Services) -> Iterator[Measured]:
    freshness = services.freshness
    for name, kind, about in (
        ("generation", "counter", "Changes of the data versions that were heard of."),
        ("resets", "counter", "Times that the database was found restored."),
        ("reconnects", "counter", "Connections that listen, beyond the first."),
    ):
        yield Measured(
            f"payband_freshness_{name}",
            kind,
            about,
            single(lambda name=name: getattr(freshness, name)),  # type: ignore[misc]
        )
    yield Measured(
        "payband_freshness_heard_seconds",
        "gauge",
        "Since the last full answer about data versions; current below 2.",
        single(freshness.heard_s),
    )
    yield Measured(
        "payband_database_connections",
        "gauge",
        "Connections of the pool in use.",
        single(lambda: _in_use(services.database)),
    )


def _of_events(state: State) -> Iterator[Measured]:
    yield Measured(
        "payband_listeners",
        "gauge",
        "Open streams of /v1/events.",
        single(lambda: len(state.broadcast)),
    )
    yield Measured(
        "payband_listeners_told",
        "counter",
        "Times that a listener was woken.",
        single(lambda: state.broadcast.told),
    )


def _in_use(database: Database) -> float:
    """Of the engine's pool as it is now: closing it makes another."""
    return float(database.engine.pool.checkedout())  # type: ignore[attr-defined]


def _by_field(counts: Any) -> Readings:
    return {(item.name,): getattr(counts, item.name) for item in fields(counts)}

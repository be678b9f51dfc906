"""GET /metrics: what a scraper sees."""

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.parser import text_string_to_metric_families

from app.core.database import Database
from app.core.versions import advance_roles
from app.events import stream
from app.main import create_app
from app.settings import Settings
from tests.conftest import connect
from tests.support.streams import streaming

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def scrape(client: httpx.AsyncClient) -> Samples:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def plain(samples: Samples, name: str) -> float:
    return samples[name, ()]


def requests(samples: Samples, route: str, status: str) -> float:
    labels = (("route", route), ("status", status))
    return samples.get(("payband_requests_total", labels), 0.0)


async def test_requests_are_counted_by_route_and_status_class(client: httpx.AsyncClient) -> None:
    before = await scrape(client)
    await client.get("/v1/roles/django-developer")
    await client.get("/v1/roles/no-such-role")
    await client.get("/nowhere/at/all")
    after = await scrape(client)

    def grown(route: str, status: str) -> float:
        return requests(after, route, status) - requests(before, route, status)

    assert grown("/v1/roles/{code}", "2xx") == 1
    assert grown("/v1/roles/{code}", "4xx") == 1
    assert grown("none", "4xx") == 1


async def test_no_label_holds_what_somebody_sent(client: httpx.AsyncClient) -> None:
    await client.get("/v1/salaries/rank?amount=137137&role=django-developer")
    await client.get("/v1/sources/secret-source", headers={"X-Request-ID": "named-by-me"})
    text = (await client.get("/metrics")).text
    for sent in ("137137", "django-developer", "secret-source", "named-by-me", "payband.test"):
        assert sent not in text


async def test_freshness_listeners_and_connections_are_shown(
    application: FastAPI,
    client: httpx.AsyncClient,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "LONGEST_S", 3600.0)
    freshness = application.state.services.freshness
    await freshness.confirm()
    before = await scrape(client)
    assert plain(before, "payband_freshness_heard_seconds") < 60
    assert plain(before, "payband_database_connections") == 0
    async with streaming(application) as events:
        await events.next()
        assert plain(await scrape(client), "payband_listeners") == 1
        async with database.write() as session:
            await advance_roles(session, [1])
        await events.next()
        after = await scrape(client)
    name = "payband_freshness_generation_total"
    assert plain(after, name) > plain(before, name)
    assert plain(after, "payband_listeners_told_total") >= 1
    assert plain(await scrape(client), "payband_listeners") == 0
    assert plain(after, "process_resident_memory_bytes") > 0


async def test_the_database_is_not_asked(settings: Settings) -> None:
    """Nor needed: a process that cannot start yet has metrics too."""
    away = create_app(settings, "postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    async with away.router.lifespan_context(away), connect(away) as client:
        assert (await client.get("/readyz")).status_code == 503
        samples = await scrape(client)
    assert plain(samples, "payband_freshness_heard_seconds") == float("inf")
    assert requests(samples, "/readyz", "5xx") == 1


async def test_the_form_is_the_scraper_s(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")
    assert answer.headers["content-type"] == CONTENT_TYPE_LATEST
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_metrics_can_only_be_read(client: httpx.AsyncClient, method: str) -> None:
    assert (await client.request(method, "/metrics")).status_code == 405

"""100 dashboards polling 12 questions each second, while records arrive each second.

The roles written are spread over the popularity of roles: the one with most records, the 5th, 10th,
20th and 40th. Seven of the questions depend on them, and are answered anew every second.
Ranks are not among them: they are never kept, because their address holds somebody's amount.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from bench import Measure
from bench.dashboards import Polled, Polling, run_dashboards
from bench.edge_bench import make_key
from bench.questions import Client, Named, read_named, window
from bench.records import stage_with_records
from bench.service import Service, serving
from bench.stage import Stage, read_codes
from bench.writer import Batches, Writer, writing

DASHBOARDS: Final = 100
SECONDS: Final = 30
ROWS: Final = 2000
WRITTEN: Final = (0, 4, 9, 19, 39)
QUESTIONS: Final = (
    "statistics?group_by=region,level&{year}",
    "statistics?group_by=role&measures=count,p50&{year}",
    "statistics?group_by=level&role={0}",
    "statistics?group_by=region&role={4}&{year}",
    "trend?interval=month&role={9}&measures=count,p50",
    "histogram?role={19}&{year}",
    "bands?group_by=level&role={39}&{year}",
    "statistics?group_by=level&role={10}",
    "trend?interval=quarter&role={11}&measures=count,p50",
    "statistics?group_by=region,level&role={12}&{year}",
    "comparison?dimension=level&a=mid&b=senior&role={13}&{year}",
    "histogram?role={14}&{year}",
)
WATCHED: Final = 2
"""The question by which freshness is measured: of a role that is written."""


async def run(stage: Stage) -> list[Measure]:
    """Latency, processor time, memory and freshness."""
    full = await stage_with_records(stage)
    named = await read_named(full)
    async with full.database() as database:
        roles = (await read_codes(database)).roles
    paths = paths_of(roles, named)
    headers = [("x-api-key", await make_key(full))]
    batches = Batches(full.url, str(full.folder), SECONDS, ROWS, WRITTEN, 1.0)
    async with serving(full) as service:
        return await asyncio.to_thread(_polled, service, paths, headers, batches)


def paths_of(roles: Sequence[str], named: Named) -> list[str]:
    """The request targets; a number stands for the role in that place, most records first."""
    first, last = window(named.newest, 12)
    year = f"from={first:%Y-%m}&to={last:%Y-%m}"
    return [f"/v1/salaries/{question.format(*roles, year=year)}" for question in QUESTIONS]


def _polled(
    service: Service, paths: list[str], headers: list[tuple[str, str]], batches: Batches
) -> list[Measure]:
    client = Client(service.port)
    for path in paths:
        client.get(path).rows()
    client.close()
    with writing(batches) as writer:
        before_s = service.cpu_s
        polled, commits = _at_once(
            Polling(service.port, paths, headers, DASHBOARDS, SECONDS), writer
        )
        used = (service.cpu_s - before_s) / SECONDS
    return _measures(polled, commits, used, service.megabytes)


def _at_once(polling: Polling, writer: Writer) -> tuple[Polled, list[float]]:
    writer.start()
    polled = run_dashboards(polling)
    return polled, writer.commits()


def _measures(polled: Polled, commits: list[float], used: float, megabytes: float) -> list[Measure]:
    answered = sum(polled.statuses.get(status, 0) for status in ("200", "304"))
    failed = sum(polled.statuses.values()) - answered + polled.unanswered
    seen = delays(commits, polled.changes[WATCHED])
    rate = len(polled.latencies) / SECONDS
    share = polled.statuses.get("304", 0) / max(1, answered)
    return [
        Measure("polling: requests a second", rate, "requests/s"),
        Measure("polling: share of answers that were 304", share, ""),
        Measure("polling: requests that failed", failed, "", bar=0),
        Measure("polling: p50", percentile(polled.latencies, 0.5), "ms"),
        Measure("polling: p99", percentile(polled.latencies, 0.99), "ms", bar=50),
        Measure("polling: longest", max(polled.latencies), "ms"),
        Measure("polling: service, share of one core", used, "", bar=0.6),
        Measure("polling: service, memory afterwards", megabytes, "MB", bar=300),
        Measure("polling: batches written", len(commits), "", bar=SECONDS, at_least=True),
        Measure("polling: batches that a poll saw before the next", len(seen), ""),
        Measure("polling: commit until a poll sees it, p99", percentile(seen, 0.99), "ms", bar=100),
    ]


def delays(commits: Sequence[float], changes: Sequence[float]) -> list[float]:
    """Milliseconds from each commit to the first new answer after it, before the next commit."""
    found = []
    for number, commit in enumerate(commits):
        place = bisect_right(changes, commit)
        following = commits[number + 1] if number + 1 < len(commits) else float("inf")
        if place < len(changes) and changes[place] < following:
            found.append((changes[place] - commit) * 1000)
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed. Raises RuntimeError without any."""
    if not values:
        raise RuntimeError("nothing was measured")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

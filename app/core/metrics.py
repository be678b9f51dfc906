"""What the process counts, in the text form that Prometheus reads.

Requests add integers; everything else is read when somebody asks. Labels are route templates and
kinds of things: never ids, addresses or amounts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from prometheus_client import Metric

MEDIA_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8"

Labels = tuple[str, ...]
Readings = Mapping[Labels, float]


class RequestCounts:
    """Requests by route template and class of status, since the start."""

    def __init__(self) -> None:
        self.counted: Counter[Labels] = Counter()

    def count(self, route: str, status: int) -> None:
        """Count one. Status 0: the client went before there was an answer."""
        self.counted[route, f"{status // 100}xx" if status else "none"] += 1


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric: a `counter` only grows, a `gauge` is as it is now.

    `read` gives its values by the values of `labels`. It must not wait, nor ask the database.
    """

    name: str
    kind: str
    about: str
    read: Callable[[], Readings]
    labels: Labels = ()


def single(read: Callable[[], float]) -> Callable[[], Readings]:
    """The reading of a metric without labels."""
    return lambda: {(): read()}


class Metrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self, measured: Iterable[Measured]) -> None:
        self._measured = tuple(measured)
        self._registry: Any = None

    def collect(self) -> Iterator["Metric"]:
        """As the registry asks for it."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        families = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
        for measured in self._measured:
            family = families[measured.kind](measured.name, measured.about, labels=measured.labels)
            for labels, value in sorted(measured.read().items()):
                family.add_metric(labels, value)
            yield family

    def render(self) -> bytes:
        """All metrics, with memory and processor time of the process."""
        # Imported here: whoever is never asked need not load it.
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

        if self._registry is None:
            self._registry = CollectorRegistry()
            self._registry.register(self)
            ProcessCollector(registry=self._registry)
        return generate_latest(self._registry)

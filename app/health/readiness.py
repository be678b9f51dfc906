"""Whether this process answers: starting, ready, draining."""

from collections.abc import Callable
from typing import Final

from app.core.errors import Draining, PaybandError, Unavailable

STARTING: Final = "The service is starting and has not reached its database yet; try again shortly."


class Readiness:
    """One process's state.

    Once ready it stays ready whatever happens to the database: if every replica left the load
    balancer at once, nothing at all would be answered.
    """

    def __init__(self) -> None:
        self._obstacle: PaybandError | None = Unavailable(STARTING, code="starting")
        self._draining = False
        self._when_draining: list[Callable[[], None]] = []

    @property
    def is_ready(self) -> bool:
        """True from the first good look at the database on."""
        return self._obstacle is None

    def set_ready(self) -> None:
        """The schema was seen, and is the right one."""
        self._obstacle = None

    def set_obstacle(self, obstacle: PaybandError) -> None:
        """Why this process cannot become ready yet."""
        self._obstacle = obstacle

    def set_draining(self) -> None:
        """The process was told to end: no new work should be sent here.

        Called by the handler of a signal, and when the application ends.
        """
        self._draining = True
        for act in self._when_draining:
            act()

    def when_draining(self, act: Callable[[], None]) -> None:
        """Have `act` called as soon as the process ends: for what would hold it up."""
        self._when_draining.append(act)

    def check_started(self) -> None:
        """Raise what keeps this process from answering at all (503)."""
        if self._obstacle is not None:
            raise _again(self._obstacle)

    def check_ready(self) -> None:
        """Raise why no new requests should be sent here (503)."""
        if self._draining:
            raise Draining("The process is ending; another one answers.", code="draining")
        self.check_started()


def _again(obstacle: PaybandError) -> PaybandError:
    """A fresh copy: a raised exception keeps its traceback, and with it a request's objects."""
    return type(obstacle)(obstacle.detail, code=obstacle.problem_code)

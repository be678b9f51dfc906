"""One computation for all who want the same thing at once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """Computations under way, by what they compute and from which state of the data."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[T]] = {}
        self._all: set[asyncio.Task[T]] = set()

    async def run(self, key: Hashable, compute: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """What `compute` gives, and whether another request's computation gave it.

        A failure reaches all who wait, and is forgotten. Who is cancelled takes nothing from the
        others: the computation goes on.
        """
        task = self._under_way.get(key)
        joined = task is not None
        if task is None:
            task = asyncio.ensure_future(compute())
            self._under_way[key] = task
            self._all.add(task)
            task.add_done_callback(self._landed(key))
        return await asyncio.shield(task), joined

    async def close(self) -> None:
        """End what is under way."""
        for task in self._all:
            task.cancel()
        await asyncio.gather(*self._all, return_exceptions=True)

    def _landed(self, key: Hashable) -> Callable[[asyncio.Task[T]], Any]:
        def forget(task: asyncio.Task[T]) -> None:
            self._all.discard(task)
            if self._under_way.get(key) is task:
                del self._under_way[key]
            if not task.cancelled():
                task.exception()  # looked at: whoever waited may be gone

        return forget

"""Runs an asynchronous generator a little ahead of the one who takes its items."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class _End:
    error: Exception | None = None


WAITING: Final = 1
"""Items that are made and not yet taken, beside the one in the making."""


@asynccontextmanager
async def ahead(items: AsyncGenerator[Item, None]) -> AsyncIterator[AsyncIterator[Item]]:
    """The same items, made by a task of their own. An exception comes after the items before it.
    When the block ends, the task and the generator have ended too."""
    queue: asyncio.Queue[Item | _End] = asyncio.Queue(WAITING)

    async def produce() -> None:
        try:
            async for item in items:
                await queue.put(item)
        except Exception as error:  # noqa: BLE001 - handed to the consumer, who raises it
            await queue.put(_End(error))
        else:
            await queue.put(_End())

    async def consume() -> AsyncIterator[Item]:
        while not isinstance(item := await queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    task = asyncio.create_task(produce())
    try:
        yield consume()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await items.aclose()

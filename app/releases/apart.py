"""Makes a release in a process of its own: the service answers meanwhile, and the memory that the
computation takes goes back at its end."""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from app.core.errors import Unavailable
from app.releases.making import Asked, Made, make_release
from app.settings import Settings


async def make_release_apart(settings: Settings, url: str, asked: Asked) -> Made:
    """As `make_release`. Whoever goes away while it runs finds the release when it is there.

    Raises Unavailable (503), code `release_failed`, where the process was killed.
    """
    loop = asyncio.get_running_loop()
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    try:
        return await loop.run_in_executor(pool, _make, settings, url, asked)
    except BrokenProcessPool:
        raise Unavailable(
            "The process that made the release was killed, perhaps for its memory; nothing was "
            "written. `payband release` can make it on another machine.",
            code="release_failed",
        ) from None
    finally:
        pool.shutdown(wait=False)


def _make(settings: Settings, url: str, asked: Asked) -> Made:
    return asyncio.run(make_release(settings, url, asked))

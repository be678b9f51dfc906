"""Log lines: JSON (or text) on standard error, the server's own included.

An exception is logged as its types and the lines it passed, without its message: a message may
hold an amount, a key or an employer.
"""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any, Final

import structlog

from app.settings import Settings

MOST_FRAMES: Final = 12
SERVER_LOGGERS: Final = ("uvicorn", "uvicorn.error", "uvicorn.asgi")


def configure_logging(settings: Settings) -> None:
    """Route structlog and the standard library's loggers to standard error, one line each."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_message,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(settings),
            ],
        )
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(max(level, logging.INFO))
    for name in SERVER_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # It tells of each of its plugins at import.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _renderer(settings: Settings) -> structlog.typing.Processor:
    if settings.log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.processors.KeyValueRenderer(
        key_order=["timestamp", "level", "event"], drop_missing=True
    )


def _without_message(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace `exc_info` by the types and places of the exception and its causes."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["exception"] = [_described(each) for each in _chain(error)]
    told = str(event["event"])
    if told.startswith("Traceback "):
        # How the framework says that the start failed: a traceback as the text itself.
        kind = told.rstrip().rpartition("\n")[2].partition(":")[0]
        event.update(event="failed to start", exception=[{"type": kind}])
    return event


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _described(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    described: dict[str, Any] = {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "at": _places(error.__traceback__),
    }
    state = getattr(error, "sqlstate", None)
    return {**described, "sqlstate": state} if state else described


def _places(trace: TracebackType | None) -> list[str]:
    return [
        f"{'/'.join(Path(frame.f_code.co_filename).parts[-3:])}:{line} {frame.f_code.co_name}"
        for frame, line in list(walk_tb(trace))[-MOST_FRAMES:]
    ]

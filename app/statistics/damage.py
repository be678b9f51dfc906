"""What is done about cells that are not what was written."""

from typing import TYPE_CHECKING

import structlog

from app.cells.keeping import mark_unsound
from app.core.errors import Unavailable
from app.statistics.reading import Reading

if TYPE_CHECKING:
    from app.cells.reading import DamagedCells


async def report_damage(reading: Reading, error: "DamagedCells") -> None:
    """Log it, and have the cells rebuilt. Those of another version of the service are its own.

    The answer comes from the records; it does not fail because that could not be noted down.
    """
    log = structlog.get_logger()
    log.warning("cells not used", roles=sorted(error.role_ids), foreign=error.foreign)
    if error.foreign:
        return
    try:
        await mark_unsound(reading.services.database, error.role_ids)
    except Unavailable as unavailable:
        log.warning("cells not marked", reason=unavailable.code)

"""The trail: who wrote what, and what was done with keys."""

from typing import Any

from app.access.caller import Caller
from app.core.database import WriteSession
from app.tables import AuditEntry


async def record(session: WriteSession, caller: Caller, action: str, **details: Any) -> None:
    """Note `action` (such as `key.create`, `import.undo`) in the transaction that does it.

    `details` are codes, ids and counts; never an amount, a key or an employer.
    """
    session.add(AuditEntry(actor=caller.id, action=action, details=details))
    await session.flush()

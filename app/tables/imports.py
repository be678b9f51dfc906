"""Writes: one row for each, small or large, its report, and the idempotency keys.

Reports and answers are JSON, not JSONB: a replayed answer has its members in the same order.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.base import Big, Moment, Small, String, Table


class Import(Table):
    """One write: `state` running, complete, failed, interrupted or undone.

    A running one whose `updated_at` is older than the heartbeat allows was interrupted: its
    process is gone. `report` is the write report as far as it is known.
    """

    __tablename__ = "imports"
    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    kind: Mapped[Small]
    source_id: Mapped[int] = mapped_column(Integer, server_default=text("0"), index=True)
    state: Mapped[String]
    profile: Mapped[str | None] = mapped_column(Text)
    batch: Mapped[str | None] = mapped_column(Text)
    idempotency_key: Mapped[str | None] = mapped_column(Text)
    dry_run: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    bytes_received: Mapped[Big] = mapped_column(server_default=text("0"))
    bytes_total: Mapped[int | None] = mapped_column(BigInteger)
    report: Mapped[dict[str, Any]] = mapped_column(JSON)
    problem: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[Moment]
    updated_at: Mapped[Moment]
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class IdempotencyKey(Table):
    """The first answer to a write that carried an `Idempotency-Key`.

    `status` is null while that first request runs. `owner` is the caller's key id, so that two
    callers never meet.
    """

    __tablename__ = "idempotency_keys"
    owner: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    request_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    status: Mapped[int | None] = mapped_column(Integer)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    import_id: Mapped[int | None] = mapped_column(Integer, index=True)
    updated_at: Mapped[Moment]


class StoredProfile(Table):
    """An import mapping kept in the database, beside those that are shipped."""

    __tablename__ = "profiles"
    code: Mapped[str] = mapped_column(Text, primary_key=True)
    mapping: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[Moment]

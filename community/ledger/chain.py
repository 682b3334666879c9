"""The hash chain of a book: what a record's hash covers. Pure."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

GENESIS = "0" * 64


def entry_hash(
    prev_hash: str,
    *,
    seq: int,
    kind: str,
    currency: str,
    business_on: date,
    value_on: date,
    recorded_at: datetime,
    actor_id: int | None,
    reference: str,
    reverses_id: int | None,
    legs: Sequence[tuple[int, int, int | None, int | None]],
) -> str:
    """Hash of a journal entry with its legs (account id, amount, member id, loan id), in order."""
    return _digest(
        prev_hash,
        [
            "entry",
            seq,
            kind,
            currency,
            business_on.isoformat(),
            value_on.isoformat(),
            _instant(recorded_at),
            actor_id,
            reference,
            reverses_id,
            legs,
        ],
    )


def event_hash(
    prev_hash: str,
    *,
    seq: int,
    kind: str,
    subject: str,
    actor_id: int | None,
    recorded_at: datetime,
    facts: dict[str, Any],
) -> str:
    """Hash of a recorded event with its facts."""
    return _digest(prev_hash, ["event", seq, kind, subject, actor_id, _instant(recorded_at), facts])


def _digest(prev_hash: str, content: list[Any]) -> str:
    # One spelling per content: sorted keys, no spaces, no floats (they have several spellings).
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{prev_hash}\n{text}".encode()).hexdigest()


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")

"""What has run out is taken away: kind by kind, as long as the rule of each says.

Rules are data with their source (`retention.json`, or a file of one's own). A kind without a rule
is kept. Books, contracts and the chain of events are no kind here: they outlast members.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Date,
    String,
    delete,
    func,
    null,
    select,
    update,
)
from sqlalchemy.orm import Session

from community.bulk import table_of
from community.database import Base
from community.members.models import ApiToken, EnrolmentCode, PageSession
from community.monitoring.models import CaseAction, PeerReport, RiskCase, Visit, VisitPhoto
from community.personal.errors import BadRetentionRules
from community.personal.models import AccessNote

OWN_RULES = Path(__file__).with_name("retention.json")
DAYS_MAX = 36_600


@dataclass(frozen=True)
class Kind:
    """Rows of one kind: since when each has run, and what is emptied instead of the row."""

    model: type[Base]
    since: ColumnElement[Any]
    # Besides having run out.
    condition: ColumnElement[bool] | None = None
    empties: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """How many days one kind is kept, and who says so."""

    kind: str
    days: int
    source: str


# Sessions go before the tokens that they were opened with.
KINDS: dict[str, Kind] = {
    "sessions": Kind(PageSession, func.coalesce(PageSession.ended_at, PageSession.expires_at)),
    "enrolment_codes": Kind(
        EnrolmentCode, func.coalesce(EnrolmentCode.ended_at, EnrolmentCode.expires_at)
    ),
    "tokens": Kind(
        ApiToken,
        func.coalesce(ApiToken.revoked_at, ApiToken.expires_at),
        ~select(PageSession.id).where(PageSession.token_id == ApiToken.id).exists(),
    ),
    "access_notes": Kind(AccessNote, table_of(AccessNote).c.hour_at),
    "visit_places": Kind(
        Visit,
        table_of(Visit).c.done_on,
        Visit.latitude_micro.is_not(None),
        ("latitude_micro", "longitude_micro"),
    ),
    "visit_photos": Kind(
        VisitPhoto, table_of(VisitPhoto).c.added_at, VisitPhoto.content != b"", ("content",)
    ),
    "peer_reports": Kind(
        PeerReport, table_of(PeerReport).c.week_on, PeerReport.text != "", ("text",)
    ),
    "case_notes": Kind(
        CaseAction,
        select(RiskCase.closed_on).where(RiskCase.id == CaseAction.case_id).scalar_subquery(),
        CaseAction.text != "",
        ("text",),
    ),
}


def read_rules(place: Path | None = None) -> list[Rule]:
    """The rules of a file; those of the platform if none is named. Raises BadRetentionRules."""
    try:
        document = json.loads((place or OWN_RULES).read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise BadRetentionRules(f"It has to be a JSON file: {fault}.") from None
    if not isinstance(document, dict):
        raise BadRetentionRules("It has to be an object of kinds.")
    return [_rule(kind, given) for kind, given in document.items()]


def run_out(session: Session, rule: Rule, *, now: datetime, on: date) -> int:
    """How many rows of a kind have run out."""
    kind = KINDS[rule.kind]
    query = select(func.count()).select_from(kind.model).where(_has_run_out(rule, now, on))
    return session.scalar(query) or 0


def take_portion(session: Session, rule: Rule, *, now: datetime, on: date, limit: int) -> int:
    """Take away, or empty, at most `limit` rows that have run out; how many there were."""
    kind = KINDS[rule.kind]
    table = table_of(kind.model)
    query = select(table.c.id).where(_has_run_out(rule, now, on)).order_by(table.c.id).limit(limit)
    ids = session.scalars(query).all()
    if not ids:
        return 0
    if kind.empties:
        values = {name: _blank(table.c[name]) for name in kind.empties}
        session.execute(update(table).where(table.c.id.in_(ids)).values(values))
    else:
        session.execute(delete(table).where(table.c.id.in_(ids)))
    return len(ids)


def _has_run_out(rule: Rule, now: datetime, on: date) -> ColumnElement[bool]:
    kind = KINDS[rule.kind]
    is_day = isinstance(kind.since.type, Date)
    before: Any = (on if is_day else now) - timedelta(days=rule.days)
    run_out: ColumnElement[bool] = kind.since < before
    return run_out if kind.condition is None else run_out & kind.condition


def _blank(column: Column[Any]) -> Any:
    if column.nullable:
        return null()
    return "" if isinstance(column.type, String) else b""


def _rule(kind: str, given: Any) -> Rule:
    if kind not in KINDS:
        raise BadRetentionRules(f"There is no kind {kind!r}: choose from {', '.join(KINDS)}.")
    days = given.get("days") if isinstance(given, Mapping) else None
    source = given.get("source") if isinstance(given, Mapping) else None
    if type(days) is not int or not 1 <= days <= DAYS_MAX:
        raise BadRetentionRules(f"{kind}: days is a whole number from 1 to {DAYS_MAX}.")
    if not isinstance(source, str) or not source.strip():
        raise BadRetentionRules(f"{kind}: the source says whose rule it is.")
    return Rule(kind, days, source)

"""Declared events and calendars with what they point at, for dumping; and calendars as CSV."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from io import StringIO
from types import SimpleNamespace
from typing import Any

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.loans.models import Loan
from community.loans.service import currency_of
from community.members import queries as members
from community.members.models import Member
from community.money import format_minor
from community.seasons import queries
from community.seasons.calendar import CalendarLine, MemberDue, PayoutLine
from community.seasons.effects import read_rows
from community.seasons.models import DeclaredEvent, DeclaredEventLoan
from community.seasons.plans import change_of

_CSV_COLUMNS = (
    "kind",
    "day",
    "window",
    "crop",
    "region",
    "product",
    "currency",
    "loans",
    "members",
    "principal",
    "interest",
    "fee",
    "penalty",
    "paid",
    "due",
    "payout",
)


def event_summaries(session: Session, events: Iterable[DeclaredEvent]) -> list[SimpleNamespace]:
    """Events as lists show them; two statements for all of them."""
    listed = list(events)
    places = communities.get_communities_by_id(session, [event.community_id for event in listed])
    progress = queries.progress_of(session, [event.id for event in listed])
    return [
        SimpleNamespace(
            id=event.public_id,
            community=places[event.community_id].public_id,
            kind=event.kind,
            crop=event.crop,
            happened_on=event.happened_on,
            dues_from=event.dues_from,
            dues_until=event.dues_until,
            effect=_effect(event),
            reason=event.reason,
            declared_on=event.declared_on,
            status=event.status,
            progress=progress[event.id],
        )
        for event in listed
    ]


def event_view(session: Session, event: DeclaredEvent) -> SimpleNamespace:
    """One event with its preview and its steps; a fixed number of statements."""
    [view] = event_summaries(session, [event])
    steps = queries.steps_of(session, event.id)
    names = members.names_of(session, [step.actor_id for step in steps])
    view.preview = _preview(event.preview)
    view.steps = [
        SimpleNamespace(
            status=step.status,
            on=step.on,
            reason=step.reason,
            by=names[step.actor_id].public_id if step.actor_id is not None else None,
            recorded_at=step.recorded_at,
        )
        for step in steps
    ]
    return view


def event_loan_view(record: DeclaredEventLoan, loan: Loan, borrower: Member) -> SimpleNamespace:
    """What an event does to one loan."""
    currency = currency_of(loan)
    return SimpleNamespace(
        loan=loan.public_id,
        borrower=borrower.public_id,
        status=record.status,
        reason=record.reason,
        deferral_days=record.deferral_days,
        before_minor=record.before_minor,
        after_minor=record.after_minor,
        currency=currency,
        before=_rows(record.before, currency),
        after=_rows(record.after, currency),
    )


def line_view(line: CalendarLine) -> SimpleNamespace:
    """A line of the calendar with public ids."""
    return SimpleNamespace(
        crop=line.crop,
        region=line.region.public_id if line.region else None,
        product=line.product.public_id if line.product else None,
        currency=line.currency,
        from_on=line.from_on,
        window=line.window,
        loans=line.loans,
        members=line.members,
        principal_minor=line.principal_minor,
        interest_minor=line.interest_minor,
        fee_minor=line.fee_minor,
        penalty_minor=line.penalty_minor,
        paid_minor=line.paid_minor,
        due_minor=line.due_minor,
    )


def payout_view(line: PayoutLine) -> SimpleNamespace:
    """What is to go out, with its season's public id."""
    return SimpleNamespace(
        season=line.season.public_id,
        crop=line.season.crop,
        pay_on=line.pay_on,
        currency=line.currency,
        loans=line.loans,
        amount_minor=line.amount_minor,
    )


def due_view(due: MemberDue) -> SimpleNamespace:
    """One of a member's own dues."""
    return SimpleNamespace(
        loan=due.loan.public_id,
        crop=due.crop,
        currency=due.currency,
        due_on=due.due_on,
        principal_minor=due.principal_minor,
        interest_minor=due.interest_minor,
        fee_minor=due.fee_minor,
        penalty_minor=due.penalty_minor,
        paid_minor=due.paid_minor,
        due_minor=due.due_minor,
    )


def calendar_csv(dues: Sequence[CalendarLine], payouts: Sequence[PayoutLine]) -> str:
    """The calendar as a sheet: names instead of ids, amounts in decimal units."""
    text = StringIO()
    writer = csv.DictWriter(text, _CSV_COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for line in dues:
        amounts = {
            name: format_minor(getattr(line, f"{name}_minor"), line.currency)
            for name in ("principal", "interest", "fee", "penalty", "paid", "due")
        }
        writer.writerow(
            {
                "kind": "due",
                "day": line.from_on or "",
                "window": line.window or "",
                "crop": _cell(line.crop),
                "region": _cell(line.region.name if line.region else None),
                "product": _cell(line.product.name if line.product else None),
                "currency": line.currency,
                "loans": line.loans,
                "members": line.members,
                **amounts,
            }
        )
    for payout in payouts:
        writer.writerow(
            {
                "kind": "payout",
                "day": payout.pay_on,
                "crop": _cell(payout.season.crop),
                "currency": payout.currency,
                "loans": payout.loans,
                "payout": format_minor(payout.amount_minor, payout.currency),
            }
        )
    return text.getvalue()


def _cell(text: str | None) -> str:
    """A text that a spreadsheet will not take for a formula."""
    if text and text[0] in "=+-@\t\r":
        return f"'{text}"
    return text or ""


def _effect(event: DeclaredEvent) -> dict[str, Any]:
    effect = change_of(event).effect
    return {**asdict(effect), "kind": event.effect["kind"]}


def _preview(document: dict[str, Any] | None) -> dict[str, Any] | None:
    if document is None:
        return None
    return document | {
        "refusals": [
            {"reason": reason, "loans": count} for reason, count in document["refusals"].items()
        ]
    }


def _rows(document: Iterable[Sequence[Any]], currency: str) -> list[dict[str, Any]]:
    return [
        {
            "due_on": row.due_on,
            **row.due._asdict(),
            **{f"paid_{name}": minor for name, minor in row.paid._asdict().items()},
            "currency": currency,
        }
        for row in read_rows(document)
    ]

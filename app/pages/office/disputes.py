"""Calls on guarantors: those that are disputed wait for an answer, and what each rests on."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from flask import Response, url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.fields import Schema, Text
from app.guarantees.facts import call_facts
from app.guarantees.schemas import CallListArgs
from app.loans.facts import loan_facts
from app.loans.views import loan_view
from app.pages.forms import Form, answer, read_query
from app.pages.lists import listed
from app.pages.office.room import enter, pages, show
from app.permissions import may, permit, requires
from community.communities.models import Community
from community.guarantees import failure, queries, service
from community.guarantees.errors import CallNotFound
from community.guarantees.models import Call, CallLine, CallStatus
from community.guarantees.queries import LineView
from community.loans import queries as loans
from community.loans import service as loan_service
from community.loans.models import Loan
from community.members import queries as members
from community.members.queries import Named

# What waits for an answer first.
STATUSES = (
    CallStatus.DISPUTED,
    CallStatus.OPEN,
    CallStatus.LAPSED,
    CallStatus.PAID,
    CallStatus.CANCELLED,
)


class CallsArgs(CallListArgs):
    """A page of the calls in one state."""

    status = ma.fields.Enum(
        CallStatus,
        by_value=ma.fields.String,
        load_default=CallStatus.DISPUTED,
        validate=ma.validate.OneOf(STATUSES),
    )


class Resolution(Schema):
    """How a dispute is answered, and why; neither answer is chosen beforehand."""

    upheld = ma.fields.String(required=True, validate=ma.validate.OneOf(["yes", "no"]))
    reason = Text(500, required=True)


@dataclass(frozen=True, slots=True)
class Asked:
    """A call with the names on it."""

    call: Call
    loan: Loan
    guarantor: Named
    borrower: Named
    covers_for: Named | None
    currency: str


@dataclass(frozen=True, slots=True)
class Rests:
    """A cover line that a call asks for, with the names on it."""

    item: CallLine
    line: LineView
    standing_of: Named
    through: Named | None


@pages.listed("calls")
@pages.get("/office/<pid(com):community_id>/calls")
@requires("call:list")
def calls(community_id: str) -> Response:
    """The calls on the community's loans in one state, disputed ones first."""
    community = enter(community_id, "call:list")
    session = db.session()
    _, args = read_query(CallsArgs())
    status = args.get("status", CallStatus.DISPUTED)
    found, older, first = listed(
        session, queries.list_calls(community.id, status), Call.id, status=status.value
    )
    return show(
        "calls",
        community,
        state=status,
        statuses=STATUSES,
        calls=_asked(session, found.items),
        older=older,
        first=first,
    )


@pages.get("/office/<pid(com):community_id>/calls/<pid(cal):call_id>")
@requires("call:read")
def call(community_id: str, call_id: str) -> Response:
    """One call: what is asked, what it rests on, why it is disputed."""
    return _call_page(*_own(community_id, call_id), Form())


@pages.post("/office/<pid(com):community_id>/calls/<pid(cal):call_id>/resolution")
@requires("call:resolve")
def resolve_dispute(community_id: str, call_id: str) -> Any:
    """Answer a dispute: the call stands and its clock goes on, or nothing more is asked on it."""

    def work(data: dict[str, Any]) -> str:
        found = _own(community_id, call_id, "call:resolve")[1]
        upheld = data["upheld"] == "yes"
        resolve = failure.uphold_dispute if upheld else service.resolve_dispute
        resolve(
            db.session(),
            call_id=found.id,
            on=today(),
            now=now(),
            reason=data["reason"],
            actor_id=caller().member_id,
        )
        return url_for("office.call", community_id=community_id, call_id=call_id)

    return answer(
        Resolution,
        work,
        lambda form: _call_page(*_own(community_id, call_id, "call:resolve"), form),
        said=("office", "dispute_answered"),
    )


def _own(community_id: str, call_id: str, action: str = "call:read") -> tuple[Community, Call]:
    community = enter(community_id)
    found = queries.get_call(db.session(), call_id)
    if found.community_id != community.id:
        raise CallNotFound()
    facts = call_facts(db.session(), found)
    permit("call:read", facts)
    permit(action, facts)
    return community, found


def _asked(session: Session, rows: Iterable[Call]) -> list[Asked]:
    """Calls with the names on them; two statements, however many."""
    found = list(rows)
    lent = loans.loans_by_id(session, [row.loan_id for row in found])
    people = members.names_of(
        session,
        [loan.borrower_id for loan in lent.values()]
        + [end for row in found for end in (row.guarantor_id, row.for_guarantor_id)],
    )
    return [
        Asked(
            call=row,
            loan=lent[row.loan_id],
            guarantor=people[row.guarantor_id],
            borrower=people[lent[row.loan_id].borrower_id],
            covers_for=people.get(row.for_guarantor_id or 0),
            currency=loan_service.currency_of(lent[row.loan_id]),
        )
        for row in found
    ]


def _rests(session: Session, found: Call) -> list[Rests]:
    lines = queries.call_lines(session, found)
    people = members.names_of(
        session, [end for _, line in lines for end in (line.standing_of_id, line.via_id)]
    )
    return [
        Rests(item, line, people[line.standing_of_id], people.get(line.via_id or 0))
        for item, line in lines
    ]


def _call_page(community: Community, found: Call, form: Form) -> Response:
    session = db.session()
    [asked] = _asked(session, [found])
    facts = call_facts(session, found)
    is_disputed = found.status is CallStatus.DISPUTED and found.disputed_on is not None
    return show(
        "call",
        community,
        form=form,
        asked=asked,
        loan=loan_view(session, asked.loan),
        rests=_rests(session, found),
        answers=queries.dispute_answers(session, found),
        sees_loan=may("loan:read", loan_facts(session, asked.loan)),
        is_disputed=is_disputed,
        stood_days=(today() - found.disputed_on).days if found.disputed_on is not None else 0,
        may_resolve=is_disputed and may("call:resolve", facts),
        is_own=is_disputed and caller().member_id in facts.owner_ids,
    )
